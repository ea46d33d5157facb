//go:build amd64 || arm64

package server

import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// poller is an epoll instance and what wakes it.
type poller struct {
	fd     int
	wake   int // an eventfd
	events [256]syscall.EpollEvent
}

func newPoller() (*poller, error) {
	p := &poller{fd: -1, wake: -1}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p.fd = fd
	w, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		p.close()
		return nil, os.NewSyscallError("eventfd2", errno)
	}
	p.wake = int(w)
	if err := p.add(p.wake, syscall.EPOLLIN); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	for _, fd := range []int{p.fd, p.wake} {
		if fd >= 0 {
			_ = syscall.Close(fd) // nothing is lost
		}
	}
}

func (p *poller) add(fd int, events uint32) error {
	return p.control(syscall.EPOLL_CTL_ADD, fd, events)
}

func (p *poller) change(fd int, events uint32) error {
	return p.control(syscall.EPOLL_CTL_MOD, fd, events)
}

func (p *poller) remove(fd int) error { return p.control(syscall.EPOLL_CTL_DEL, fd, 0) }

func (p *poller) control(op, fd int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, op, fd, &ev))
}

// waitRaw waits without telling the scheduler. The thread keeps its processor
// meanwhile, so there must be more processors than loops. The runtime's signal
// for preemption interrupts it.
func (p *poller) waitRaw(timeout time.Duration) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(timeout.Milliseconds()), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}

// wait waits as any blocking call does; a negative timeout is for ever.
func (p *poller) wait(timeout time.Duration) int {
	ms := -1
	if timeout >= 0 {
		ms = int(timeout.Milliseconds())
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}

// interrupt makes a wait return. Any goroutine may call it.
func (p *poller) interrupt() {
	one := uint64(1)
	// It fails only when the counter is full: then the wait returns anyway.
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(p.wake), uintptr(unsafe.Pointer(&one)), 8)
	runtime.KeepAlive(&one)
}

// interrupted takes note that interrupt was called.
func (p *poller) interrupted() {
	var n uint64
	syscall.RawSyscall(syscall.SYS_READ, uintptr(p.wake), uintptr(unsafe.Pointer(&n)), 8)
	runtime.KeepAlive(&n)
}
