-- Run by the image once, when the data folder is new: Klatsch owns its database and is no superuser.
\set password `cat /secrets/postgres/klatsch-password`
CREATE ROLE klatsch LOGIN PASSWORD :'password';
CREATE DATABASE klatsch OWNER klatsch;
