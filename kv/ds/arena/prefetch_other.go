//go:build !amd64 && !arm64

package arena

import "unsafe"

// Prefetch does nothing here: looking ahead is a matter of speed alone.
func Prefetch(unsafe.Pointer) {}
