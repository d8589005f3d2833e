// What kernels.wasm exports, as TypeScript sees it. Addresses, counts, strides and 32-bit seeds are
// all numbers. A kernel's first two arguments, `from` and `to`, bound the units that one call
// computes; each source says what its unit is. The check compares this list with the module itself.
// Read next: kernels.ts, which decides who calls what.

/** The kernels, which threads may share: what each takes beside its range of units. */
export interface Kernels {
  // matmul.as.ts
  packB(
    b: number,
    ldb: number,
    transposed: number | boolean,
    K: number,
    N: number,
    out: number,
  ): void;
  matmulPacked(
    a: number,
    lda: number,
    transposed: number | boolean,
    packed: number,
    c: number,
    ldc: number,
    K: number,
    N: number,
    add: number | boolean,
    bias: number,
  ): void;
  matmulSmall(
    a: number,
    lda: number,
    transposedA: number | boolean,
    nextA: number,
    b: number,
    ldb: number,
    transposedB: number | boolean,
    nextB: number,
    c: number,
    ldc: number,
    nextC: number,
    M: number,
    N: number,
    K: number,
    add: number | boolean,
    bias: number,
  ): void;
  matmulRow(
    a: number,
    b: number,
    ldb: number,
    c: number,
    K: number,
    N: number,
    add: number | boolean,
    bias: number,
  ): void;
  matmulRowDots(
    a: number,
    b: number,
    ldb: number,
    c: number,
    K: number,
    add: number | boolean,
    bias: number,
  ): void;
  // fewRows.as.ts
  matmulFewRows(
    a: number,
    b: number,
    c: number,
    M: number,
    N: number,
    K: number,
    add: number | boolean,
    bias: number,
  ): void;

  // unary.as.ts
  unaryNeg(x: number, y: number): void;
  unaryAbs(x: number, y: number): void;
  unarySign(x: number, y: number): void;
  unaryExp(x: number, y: number): void;
  unaryExpm1(x: number, y: number): void;
  unaryLog(x: number, y: number): void;
  unaryLog1p(x: number, y: number): void;
  unarySqrt(x: number, y: number): void;
  unaryRsqrt(x: number, y: number): void;
  unarySquare(x: number, y: number): void;
  unaryReciprocal(x: number, y: number): void;
  unarySin(x: number, y: number): void;
  unaryCos(x: number, y: number): void;
  unaryTanh(x: number, y: number): void;
  unarySigmoid(x: number, y: number): void;
  unaryLogSigmoid(x: number, y: number): void;
  unarySoftplus(x: number, y: number): void;
  unaryRelu(x: number, y: number): void;
  unaryErf(x: number, y: number): void;
  unarySilu(x: number, y: number): void;
  unaryGelu(x: number, y: number): void;
  unaryGeluTanh(x: number, y: number): void;
  unaryClamp(x: number, y: number, low: number, high: number): void;
  gradRelu(g: number, x: number, dx: number): void;
  gradSigmoid(g: number, y: number, dx: number): void;
  gradTanh(g: number, y: number, dx: number): void;
  gradLogSigmoid(g: number, x: number, dx: number): void;
  gradSilu(g: number, x: number, dx: number): void;
  gradGelu(g: number, x: number, dx: number): void;
  gradGeluTanh(g: number, x: number, dx: number): void;

  // binary.as.ts
  binaryAdd(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binarySub(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binaryMul(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binaryDiv(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binaryMaximum(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binaryMinimum(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  binaryPow(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareEqual(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareNotEqual(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareLess(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareLessEqual(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareGreater(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  compareGreaterEqual(
    inner: number,
    layout: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;
  where(
    inner: number,
    layout: number,
    condition: number,
    cStride: number,
    cStep: number,
    a: number,
    aStride: number,
    aStep: number,
    b: number,
    bStride: number,
    bStep: number,
    out: number,
  ): void;

  // pointwise.as.ts
  axpy(alpha: number, x: number, y: number): void;
  affine(x: number, y: number, alpha: number, beta: number): void;
  fill(y: number, bits: number): void;
  copyBytes(x: number, y: number): void;
  dropout(x: number, y: number, p: number, seed: number): void;

  // reduce.as.ts
  sumRows(x: number, n: number, out: number, scale: number, squares: number | boolean): void;
  sumBlocks(x: number, n: number, block: number, out: number, squares: number | boolean): void;
  sumDoubles(x: number, blocks: number, out: number, scale: number): void;
  sumColumns(
    x: number,
    n: number,
    inner: number,
    out: number,
    scale: number,
    add: number | boolean,
  ): void;
  extreme(x: number, n: number, inner: number, out: number, sign: number): void;
  argExtreme(x: number, n: number, inner: number, out: number, sign: number): void;

  // softmax.as.ts
  softmax(x: number, y: number, n: number): void;
  softmaxGrad(g: number, y: number, dx: number, n: number): void;
  logSoftmax(x: number, y: number, n: number): void;
  logSoftmaxGrad(g: number, y: number, dx: number, n: number): void;
  crossEntropy(
    x: number,
    target: number,
    n: number,
    ignored: number,
    smoothing: number,
    loss: number,
    largest: number,
    mass: number,
  ): void;
  crossEntropyGrad(
    g: number,
    gStep: number,
    scale: number,
    x: number,
    target: number,
    largest: number,
    mass: number,
    dx: number,
    n: number,
    ignored: number,
    smoothing: number,
  ): void;

  // norm.as.ts
  norm(
    x: number,
    y: number,
    n: number,
    w: number,
    b: number,
    eps: number,
    means: number,
    rstds: number,
  ): void;
  normGrad(
    g: number,
    x: number,
    dx: number,
    rows: number,
    n: number,
    w: number,
    means: number,
    rstds: number,
    dw: number,
    db: number,
  ): void;

  // rope.as.ts
  rope(
    x: number,
    y: number,
    cos: number,
    sin: number,
    inner: number,
    T: number,
    batch: number,
    D: number,
    R: number,
    tableStride: number,
    interleaved: number | boolean,
    inverse: number | boolean,
  ): void;

  // attention.as.ts
  attention(
    shape: number,
    q: number,
    k: number,
    v: number,
    o: number,
    largest: number,
    mass: number,
  ): void;
  attentionGrad(
    shape: number,
    g: number,
    q: number,
    k: number,
    v: number,
    o: number,
    largest: number,
    mass: number,
    dq: number,
    dk: number,
    dv: number,
  ): void;

  // attendOne.as.ts
  attendOne(
    shape: number,
    q: number,
    k: number,
    v: number,
    o: number,
    largest: number,
    mass: number,
  ): void;

  // copy.as.ts
  stridedCopy(layout: number, x: number, y: number): void;
  addRows(x: number, xStride: number, y: number, yStride: number, n: number): void;

  // gather.as.ts
  gatherRows(x: number, index: number, y: number, n: number): void;
  scatterAddRows(g: number, index: number, count: number, dx: number, n: number): void;
  gather(x: number, index: number, y: number, n: number, m: number, inner: number): void;
  scatterAdd(g: number, index: number, dx: number, n: number, m: number, inner: number): void;

  // optimizer.as.ts
  sumSquaresList(table: number, out: number): void;
  adamwList(
    table: number,
    gScale: number,
    beta1: number,
    beta2: number,
    rest1: number,
    rest2: number,
    decay: number,
    step: number,
    root: number,
    eps: number,
  ): void;
  sgdList(
    table: number,
    gScale: number,
    lr: number,
    momentum: number,
    weightDecay: number,
    nesterov: number | boolean,
  ): void;
}

export type SharedKernel = keyof Kernels;

/** What is no kernel. */
interface Others {
  // scratch.as.ts
  setScratch(p: number): void;
  setWide(isWide: number | boolean): void;
  heapBase(): number;

  // matmul.as.ts
  peak(rounds: number, x: number, y: number): number;
}

export type Exports = Others & {
  readonly [K in SharedKernel]: (from: number, to: number, ...rest: Parameters<Kernels[K]>) => void;
};
