package peer

import (
	"errors"
	"fmt"
)

// Why a connection is refused. Dial returns them wrapped in a [RefusedError];
// Config.Admit may return them.
var (
	ErrWrongCluster  = errors.New("it belongs to another cluster")
	ErrNotThatNode   = errors.New("another node answers at that address")
	ErrOldGeneration = errors.New("that Raft directory is not in use any more")
	ErrOldHistory    = errors.New("the caller belongs to a history that was given up")
	ErrBusy          = errors.New("too many connections")
	ErrAuth          = errors.New("the cluster secret does not match")
	ErrNoSecret      = errors.New("without a cluster secret only loopback peers are accepted")
	ErrVersion       = errors.New("unknown version of the bus protocol")
	ErrKind          = errors.New("that kind of connection is not served")
	ErrRefused       = errors.New("refused")
)

// Errors of this end.
var (
	// ErrNotSent: the request certainly had no effect; it may be sent again.
	ErrNotSent = errors.New("request not sent")
	// ErrClosed: this endpoint or client is closed.
	ErrClosed = errors.New("bus closed")
)

// RefusedError is the other side's refusal of a connection. Remote is who
// refused; zero if it didn't say.
type RefusedError struct {
	Reason error
	Remote Identity
}

func (e *RefusedError) Error() string { return "connection refused by peer: " + e.Reason.Error() }

// Unwrap makes errors.Is work with the reasons above.
func (e *RefusedError) Unwrap() error { return e.Reason }

// status is a refusal's code on the wire. Codes never change meaning.
type status byte

const (
	statusOK            status = 0
	statusWrongCluster  status = 1
	statusNotThatNode   status = 2
	statusOldGeneration status = 3
	statusOldHistory    status = 4
	statusBusy          status = 5
	statusAuth          status = 6
	statusNoSecret      status = 7
	statusVersion       status = 8
	statusKind          status = 9
	statusRefused       status = 255
)

// reasons pairs codes with errors; order is of no importance.
func reasons() map[status]error {
	return map[status]error{
		statusWrongCluster: ErrWrongCluster, statusNotThatNode: ErrNotThatNode,
		statusOldGeneration: ErrOldGeneration, statusOldHistory: ErrOldHistory,
		statusBusy: ErrBusy, statusAuth: ErrAuth, statusNoSecret: ErrNoSecret,
		statusVersion: ErrVersion, statusKind: ErrKind, statusRefused: ErrRefused,
	}
}

func statusOf(err error) status {
	if err == nil {
		return statusOK
	}
	for s, e := range reasons() {
		if errors.Is(err, e) {
			return s
		}
	}
	return statusRefused
}

func (s status) err() error {
	if s == statusOK {
		return nil
	}
	if e, ok := reasons()[s]; ok {
		return e
	}
	return fmt.Errorf("%w (code %d)", ErrRefused, byte(s))
}
