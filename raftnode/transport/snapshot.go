package transport

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

// StaleTail receives the index from which on the log must be deleted, with
// Raft stopped, before a snapshot of the leader can be installed. At most one
// is reported; the transport passes no more snapshots on after it.
func (t *Transport) StaleTail() <-chan uint64 { return t.stale }

// install takes one InstallSnapshot to Raft, or refuses it.
func (t *Transport) install(q *raft.InstallSnapshotRequest, rpc raft.RPC) {
	conflict, err := conflicts(t.cfg.Entries, q.LastLogIndex, q.LastLogTerm)
	if err == nil && !conflict {
		answers := make(chan raft.RPCResponse, 1)
		to := rpc.RespChan
		rpc.RespChan = answers
		t.wg.Go(func() { t.afterInstall(q, answers, to) })
		t.deliver(rpc)
		return
	}
	if conflict {
		select {
		case t.stale <- q.LastLogIndex:
		default: // reported already
		}
		err = ErrStaleTail
	}
	t.wg.Go(func() {
		// What follows on the connection must be the next RPC. It ends when
		// the sender gives up or the transport closes.
		_, _ = io.Copy(io.Discard, rpc.Reader)
		rpc.Respond(&raft.InstallSnapshotResponse{}, err)
	})
}

// afterInstall passes Raft's answer on, once entries from before an installed
// snapshot are gone.
func (t *Transport) afterInstall(q *raft.InstallSnapshotRequest, from <-chan raft.RPCResponse, to chan<- raft.RPCResponse) {
	var r raft.RPCResponse
	select {
	case r = <-from:
	case <-t.ctx.Done():
		return
	}
	if p, ok := r.Response.(*raft.InstallSnapshotResponse); ok && r.Error == nil && p.Success {
		if err := dropBefore(t.cfg.Entries, q.LastLogIndex); err != nil {
			// The store fails for good with its first failed write.
			t.cfg.Log.Error("delete entries from before the snapshot", "err", err)
		}
	}
	to <- r // buffered
}

// conflicts reports whether our log has another entry at a snapshot's last
// index than the snapshot: then the tail from there on was never committed,
// because a snapshot holds committed entries only. A log that ends before the
// snapshot can't stand in its way; one that begins after it has a newer one.
func conflicts(log raft.LogStore, index, term uint64) (bool, error) {
	last, err := log.LastIndex()
	if err != nil || last < index {
		return false, err
	}
	first, err := log.FirstIndex()
	if err != nil || first > index {
		return false, err
	}
	var e raft.Log
	if err := log.GetLog(index, &e); err != nil {
		// A hole can't be: entries from before a snapshot go when it is
		// installed. Cutting here is right for it all the same.
		return errors.Is(err, raft.ErrLogNotFound), ignoreMissing(err)
	}
	return e.Term != term, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, raft.ErrLogNotFound) {
		return nil
	}
	return err
}

// dropBefore deletes the entries up to an installed snapshot's last one, unless
// they lead up to it.
func dropBefore(log raft.LogStore, index uint64) error {
	first, err := log.FirstIndex()
	if err != nil || first == 0 || first > index {
		return err
	}
	var e raft.Log
	if err := log.GetLog(index, &e); !errors.Is(err, raft.ErrLogNotFound) {
		return err // there, and the same as the snapshot's: see conflicts
	}
	return log.DeleteRange(first, index)
}
