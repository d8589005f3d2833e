// What goes wrong, as types. Every message names the operation, what arrived, what was needed and the
// remedy, because the reader of an error is usually in the middle of something else. A program that
// faces a person (the command line) catches TwoheadsError and prints the message without the stack.
// Next: shape.ts, whose checks throw most of these.

/** Base of every error that a user can cause. */
export class TwoheadsError extends Error {
  override readonly name: string = "TwoheadsError"; // said, not derived: minifiers rename classes
}

/** Shapes that don't fit each other, or a shape that is none. */
export class ShapeError extends TwoheadsError {
  override readonly name = "ShapeError";
}

/** A dtype that the operation doesn't take. */
export class DTypeError extends TwoheadsError {
  override readonly name = "DTypeError";
}

/** An index outside its axis. */
export class IndexError extends TwoheadsError {
  override readonly name = "IndexError";
}

/** An argument that is neither a shape, a dtype nor an index problem. */
export class ArgumentError extends TwoheadsError {
  override readonly name = "ArgumentError";
}

/** Misuse of the tape: nothing to differentiate, a graph that is gone, a value changed under it. */
export class GraphError extends TwoheadsError {
  override readonly name = "GraphError";
}

/** Reading a tensor whose memory was given back. */
export class ReleasedError extends TwoheadsError {
  override readonly name = "ReleasedError";
}

/** A device that isn't there, or two tensors on different ones. */
export class DeviceError extends TwoheadsError {
  override readonly name = "DeviceError";
}

/** A NaN or an infinity that anomaly mode caught. */
export class AnomalyError extends TwoheadsError {
  override readonly name = "AnomalyError";
}

/** A gradient that disagrees with finite differences. */
export class GradcheckError extends TwoheadsError {
  override readonly name = "GradcheckError";
}
