// Statistics of numbers in plain arrays, on the host and portable. Nothing here knows a model, and nothing
// elsewhere has an average, an interval or a count of wins of its own.
// Read averages.ts, wins.ts, intervals.ts, bootstrap.ts, calibration.ts in this order.

export * from "./averages.ts";
export * from "./bootstrap.ts";
export * from "./calibration.ts";
export * from "./correlation.ts";
export * from "./finite.ts";
export * from "./histogram.ts";
export * from "./intervals.ts";
export * from "./logistic.ts";
export * from "./logisticRegression.ts";
export * from "./signFlips.ts";
export * from "./vectors.ts";
export * from "./wins.ts";
