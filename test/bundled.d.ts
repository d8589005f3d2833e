/** Where the test files that are bundled stand, by their paths in the house. */
export declare function bundledTests(root: string, folder: string): Map<string, string>;
