//go:build amd64 || arm64

package arena

import "unsafe"

// Prefetch asks the processor for the cache line at p. Unlike a load it is done
// at once, however far away the line is, so that the processor isn't held up
// once it has a few of them under way; and a bad address is of no consequence.
//
//go:noescape
func Prefetch(p unsafe.Pointer)
