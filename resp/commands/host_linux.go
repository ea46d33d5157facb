package commands

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// residentBytes is the memory of the process that is in RAM; 0 if unknown.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	cols := strings.Fields(string(text))
	if len(cols) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(cols[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// systemMemory is the RAM of the machine; 0 if unknown.
func systemMemory() int64 {
	var si syscall.Sysinfo_t
	if syscall.Sysinfo(&si) != nil {
		return 0
	}
	return int64(uint64(si.Totalram) * uint64(si.Unit))
}

// osName is uname's system, release and machine.
func osName() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "Linux"
	}
	return cString(u.Sysname[:]) + " " + cString(u.Release[:]) + " " + cString(u.Machine[:])
}

// cString is the text before the first zero; C's char has a sign on some
// machines only.
func cString[T int8 | uint8](field []T) string {
	var b []byte
	for _, ch := range field {
		if ch == 0 {
			break
		}
		b = append(b, byte(ch))
	}
	return string(b)
}

// cpuTimes is the time this process spent in user and kernel mode.
func cpuTimes() (user, system time.Duration) {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0, 0
	}
	return time.Duration(ru.Utime.Nano()), time.Duration(ru.Stime.Nano())
}
