/** Writes the JavaScript of every source below a folder into another one. */
export declare function transpileAll(root: string, folder: string): Promise<void>;
