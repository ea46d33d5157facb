// Package geo computes with positions on earth as Redis does: bit for bit, so that
// scores, distances and the order of results are the same.
//
// What it is. A position is kept as a score of 52 bits: longitude and latitude as
// fractions of their ranges, 26 bits each, interleaved with the longitude's bit
// first. So all positions in a square of the grid that halving both ranges step
// times makes are an interval of scores, a [Cell]. A search looks at the cells
// around its center that cover its shape, and then at each position in them.
//
// What it isn't. It knows nothing of sorted sets.
//
// Caveats. Latitudes end where the Mercator projection makes the earth square, at
// 85.05112878 degrees. The earth is a sphere here. Sines and cosines are computed
// with more than double precision, because clients see their last digits.
package geo
