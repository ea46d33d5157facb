//go:build !linux && !invariants

package arena

// Checked says that this is the build in which misuse is detected.
const Checked = false
