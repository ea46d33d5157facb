//go:build race && (amd64 || arm64)

package server

import "syscall"

// For the race detector what one end of a connection did before it wrote comes
// before what the other end does once it has read. The raw calls don't tell it.

func recv(fd int, b []byte) (int, syscall.Errno) {
	return again(func() (int, error) { return syscall.Read(fd, b) })
}

func send(fd int, b []byte) (int, syscall.Errno) {
	return again(func() (int, error) { return syscall.Write(fd, b) })
}

func again(call func() (int, error)) (int, syscall.Errno) {
	for {
		n, err := call()
		errno, _ := err.(syscall.Errno)
		if errno != syscall.EINTR {
			return max(n, 0), errno
		}
	}
}
