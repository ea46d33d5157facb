//go:build !linux

package commands

import (
	"runtime"
	"time"
)

// Elsewhere than on Linux these figures are unknown: INFO shows zeros.

func residentBytes() int64 { return 0 }

func systemMemory() int64 { return 0 }

func osName() string { return runtime.GOOS + " " + runtime.GOARCH }

func cpuTimes() (user, system time.Duration) { return 0, 0 }
