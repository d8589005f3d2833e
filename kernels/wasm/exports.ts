// What kernels.wasm exports, as TypeScript sees it. Addresses, counts, strides and 32-bit seeds are
// all numbers. `from` and `to` bound the units that one call computes; each source says what its
// unit is. The check compares this list with the module itself.
// Read next: kernels.ts, which decides who calls what.

export interface Exports {
  // scratch.as.ts
  setScratch(p: number): void;
  heapBase(): number;

  // matmul.as.ts
  packB(
    from: number,
    to: number,
    b: number,
    ldb: number,
    transposed: number | boolean,
    K: number,
    N: number,
    out: number,
  ): void;
  matmulPacked(
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
    a: number,
    b: number,
    ldb: number,
    c: number,
    K: number,
    add: number | boolean,
    bias: number,
  ): void;
  peak(rounds: number, x: number, y: number): number;

  // unary.as.ts
  unaryNeg(from: number, to: number, x: number, y: number): void;
  unaryAbs(from: number, to: number, x: number, y: number): void;
  unarySign(from: number, to: number, x: number, y: number): void;
  unaryExp(from: number, to: number, x: number, y: number): void;
  unaryExpm1(from: number, to: number, x: number, y: number): void;
  unaryLog(from: number, to: number, x: number, y: number): void;
  unaryLog1p(from: number, to: number, x: number, y: number): void;
  unarySqrt(from: number, to: number, x: number, y: number): void;
  unaryRsqrt(from: number, to: number, x: number, y: number): void;
  unarySquare(from: number, to: number, x: number, y: number): void;
  unaryReciprocal(from: number, to: number, x: number, y: number): void;
  unarySin(from: number, to: number, x: number, y: number): void;
  unaryCos(from: number, to: number, x: number, y: number): void;
  unaryTanh(from: number, to: number, x: number, y: number): void;
  unarySigmoid(from: number, to: number, x: number, y: number): void;
  unaryLogSigmoid(from: number, to: number, x: number, y: number): void;
  unarySoftplus(from: number, to: number, x: number, y: number): void;
  unaryRelu(from: number, to: number, x: number, y: number): void;
  unaryErf(from: number, to: number, x: number, y: number): void;
  unarySilu(from: number, to: number, x: number, y: number): void;
  unaryGelu(from: number, to: number, x: number, y: number): void;
  unaryGeluTanh(from: number, to: number, x: number, y: number): void;
  unaryClamp(from: number, to: number, x: number, y: number, low: number, high: number): void;
  gradRelu(from: number, to: number, g: number, x: number, dx: number): void;
  gradSigmoid(from: number, to: number, g: number, y: number, dx: number): void;
  gradTanh(from: number, to: number, g: number, y: number, dx: number): void;
  gradLogSigmoid(from: number, to: number, g: number, x: number, dx: number): void;
  gradSilu(from: number, to: number, g: number, x: number, dx: number): void;
  gradGelu(from: number, to: number, g: number, x: number, dx: number): void;
  gradGeluTanh(from: number, to: number, g: number, x: number, dx: number): void;

  // binary.as.ts
  binaryAdd(
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
  axpy(from: number, to: number, alpha: number, x: number, y: number): void;
  affine(from: number, to: number, x: number, y: number, alpha: number, beta: number): void;
  fill(from: number, to: number, y: number, bits: number): void;
  copyBytes(from: number, to: number, x: number, y: number): void;
  dropout(from: number, to: number, x: number, y: number, p: number, seed: number): void;

  // reduce.as.ts
  sumRows(
    from: number,
    to: number,
    x: number,
    n: number,
    out: number,
    scale: number,
    squares: number | boolean,
  ): void;
  sumBlocks(
    from: number,
    to: number,
    x: number,
    n: number,
    block: number,
    out: number,
    squares: number | boolean,
  ): void;
  sumDoubles(from: number, to: number, x: number, blocks: number, out: number, scale: number): void;
  sumColumns(
    from: number,
    to: number,
    x: number,
    n: number,
    inner: number,
    out: number,
    scale: number,
    add: number | boolean,
  ): void;
  extreme(
    from: number,
    to: number,
    x: number,
    n: number,
    inner: number,
    out: number,
    sign: number,
  ): void;
  argExtreme(
    from: number,
    to: number,
    x: number,
    n: number,
    inner: number,
    out: number,
    sign: number,
  ): void;

  // softmax.as.ts
  softmax(from: number, to: number, x: number, y: number, n: number): void;
  softmaxGrad(from: number, to: number, g: number, y: number, dx: number, n: number): void;
  logSoftmax(from: number, to: number, x: number, y: number, n: number): void;
  logSoftmaxGrad(from: number, to: number, g: number, y: number, dx: number, n: number): void;
  crossEntropy(
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
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
    from: number,
    to: number,
    shape: number,
    q: number,
    k: number,
    v: number,
    o: number,
    largest: number,
    mass: number,
  ): void;
  attentionGrad(
    from: number,
    to: number,
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

  // copy.as.ts
  stridedCopy(from: number, to: number, layout: number, x: number, y: number): void;
  addRows(
    from: number,
    to: number,
    x: number,
    xStride: number,
    y: number,
    yStride: number,
    n: number,
  ): void;

  // gather.as.ts
  gatherRows(from: number, to: number, x: number, index: number, y: number, n: number): void;
  scatterAddRows(
    from: number,
    to: number,
    g: number,
    index: number,
    count: number,
    dx: number,
    n: number,
  ): void;
  gather(
    from: number,
    to: number,
    x: number,
    index: number,
    y: number,
    n: number,
    m: number,
    inner: number,
  ): void;
  scatterAdd(
    from: number,
    to: number,
    g: number,
    index: number,
    dx: number,
    n: number,
    m: number,
    inner: number,
  ): void;

  // optimizer.as.ts
  sumSquaresList(from: number, to: number, table: number, out: number): void;
  adamwList(
    from: number,
    to: number,
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
    from: number,
    to: number,
    table: number,
    gScale: number,
    lr: number,
    momentum: number,
    weightDecay: number,
    nesterov: number | boolean,
  ): void;
}

/** The kernels that threads may share: those that start with a range of units. */
export type SharedKernel = {
  [K in keyof Exports]: Exports[K] extends (from: number, to: number, ...rest: never[]) => void
    ? Parameters<Exports[K]> extends [number, number, number, ...unknown[]]
      ? K
      : never
    : never;
}[keyof Exports];

/** What a kernel takes beside its range of units. */
export type Arguments<K extends SharedKernel> =
  Parameters<Exports[K]> extends [from: number, to: number, ...rest: infer Rest] ? Rest : never;
