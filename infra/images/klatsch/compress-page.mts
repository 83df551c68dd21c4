// Lays the files of the built page down compressed as well: compress-page.mts <folder>
import { compressFiles } from '../../local/src/compress.ts'

compressFiles(process.argv[2]!)
