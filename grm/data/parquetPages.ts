// The headers of a Parquet file's pages, looked at before they are believed: what they say of lengths and counts decides how
// long the library loops and how much memory it takes, and a damaged or forged one says anything.
// Format: https://parquet.apache.org/docs/file-format/data-pages. Next: tables.ts.

import type { AsyncBuffer, ColumnMetaData, RowGroup, SchemaTree } from "hyparquet";

/** Small files can unpack to gigabytes: what is taken at once has at most so many bytes, rows or values. */
export const mostAtOnce = 2 ** 28;
const mostRows = 2 ** 22;
const mostValues = 2 ** 26;

/** What somebody can do whose honest file is beyond these bounds. */
export const smaller = `write it again with row groups of at most ${mostRows} rows and pages of at most ${mostAtOnce} bytes`;

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

/** The paths of a schema's leaves, which are what columns hold. */
export function leavesOf({ children, path }: SchemaTree): string[] {
  return children.length === 0 ? [path.join(".")] : children.flatMap(leavesOf);
}

/**
 * Throws where a row group, or a page of its columns, says of itself what can't be or is too much at once; and where its
 * columns aren't the schema's leaves in their order: others are decoded by the library, and nobody hears how that ends.
 */
export async function checkPages(
  file: AsyncBuffer,
  group: RowGroup,
  leaves: readonly string[],
): Promise<void> {
  const paths = group.columns.map(({ meta_data }) => meta_data?.path_in_schema?.join("."));
  if (String(paths) !== String(leaves))
    throw new Error("a row group's columns aren't those of the schema");
  if (group.num_rows > mostRows)
    throw new Error(`a row group of ${group.num_rows} rows; ${smaller}`);
  for (const { meta_data: column } of group.columns)
    if (column !== undefined) await checkColumn(file, column);
}

async function checkColumn(file: AsyncBuffer, column: ColumnMetaData): Promise<void> {
  const { parquetHeader } = await import("hyparquet/src/column.js");
  const { dictionary_page_offset: first, data_page_offset: data } = column;
  const start = Number(first || data); // some write 0 for none
  const length = Number(column.total_compressed_size);
  if (!isCount(start, file.byteLength) || !isCount(length, file.byteLength - start))
    throw new Error(`${column.path_in_schema}: ${length} bytes from ${start} lie outside of it`);
  const reader = { view: new DataView(await file.slice(start, start + length)), offset: 0 };
  while (reader.offset < length - 1) {
    const header = parquetHeader(reader);
    const { compressed_page_size: size, data_page_header_v2: second } = header;
    const { num_values } = header.data_page_header ?? second ?? header.dictionary_page_header ?? {};
    const counts = [num_values ?? 0, ...(second ? [second.num_rows, second.num_nulls] : [])];
    const isSound =
      header.type !== undefined &&
      isCount(size, length - reader.offset) &&
      isCount(header.uncompressed_page_size, mostAtOnce) &&
      counts.every((count) => isCount(count, mostValues));
    if (!isSound)
      throw new Error(`${column.path_in_schema}: a page's header is damaged; ${smaller}`);
    reader.offset += size;
  }
}
