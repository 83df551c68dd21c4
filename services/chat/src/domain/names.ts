/**
 * A name as it is compared: names that differ only in case or in how they are encoded are one name. At most 64
 * characters come out of the 32 that a name may have; whatever does not fit is no one's name.
 */
export const nameKey = (username: string): string => username.normalize('NFKC').toLowerCase()
