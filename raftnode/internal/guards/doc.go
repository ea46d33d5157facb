// Package guards names the rules that keep the control plane right, so that a
// simulation can switch one off and see whether it notices. A node in
// production has the zero Set: every rule is in force.
package guards
