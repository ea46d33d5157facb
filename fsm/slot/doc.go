// Package slot maps keys to the 16384 hash slots of a cluster and represents
// ranges and sets of slots. It is pure.
package slot
