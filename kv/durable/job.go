package durable

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// jobKind is what a snapshot is taken for.
type jobKind int

const (
	saveJob jobKind = iota
	rewriteJob
)

// job is a snapshot that is being written.
type job struct {
	kind   jobKind
	began  time.Time
	total  int64        // keys, about
	done   atomic.Int64 // keys
	cancel context.CancelFunc
	ended  chan struct{}
}

// jobs are the one that there may be, and those that wait for its end.
type jobs struct {
	mu        sync.Mutex
	now       *job
	scheduled [2]bool // by jobKind
}

// Errors of starting a snapshot.
var (
	ErrSaving    = errors.New("Background save already in progress")
	ErrRewriting = errors.New("Background append only file rewriting already in progress")
)

// begin makes a job the one under way. The error says which one is.
func (j *jobs) begin(kind jobKind, total int64, cancel context.CancelFunc) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.now != nil {
		if j.now.kind == rewriteJob {
			return nil, ErrRewriting
		}
		return nil, ErrSaving
	}
	j.now = &job{kind: kind, began: time.Now(), total: total, cancel: cancel, ended: make(chan struct{})}
	j.scheduled[kind] = false
	return j.now, nil
}

func (j *jobs) end(x *job) {
	j.mu.Lock()
	j.now = nil
	j.mu.Unlock()
	x.cancel()
	close(x.ended)
}

// schedule has a job begin as soon as none is under way.
func (j *jobs) schedule(kind jobKind) {
	j.mu.Lock()
	j.scheduled[kind] = true
	j.mu.Unlock()
}

// state is the job under way, if any, and what is scheduled.
func (j *jobs) state() (now *job, scheduled [2]bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.now, j.scheduled
}

// stop ends the job under way, if it is of that kind, and waits for its end.
func (j *jobs) stop(kind jobKind) {
	now, _ := j.state()
	if now != nil && now.kind == kind {
		now.cancel()
		<-now.ended
	}
}
