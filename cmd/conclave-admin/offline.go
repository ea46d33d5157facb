package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"conclave/fsm"
	"conclave/raftnode"
	"conclave/raftnode/store"
)

// Work on the directory of a stopped node. The record is locked meanwhile: a
// running node's directory is refused.

func inspect(args []string, out io.Writer) error {
	if len(args) != 1 {
		return flag.ErrHelp
	}
	meta, err := store.OpenMeta(args[0])
	if err != nil {
		return err
	}
	r, err := raftnode.Inspect(meta, store.Disk(args[0], quiet()))
	if err = errors.Join(err, meta.Close()); err != nil {
		return err
	}
	printReport(out, r)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func printReport(out io.Writer, r *raftnode.Report) {
	ms := r.Meta.Membership
	fmt.Fprintf(out, "node        %s (attempt %d, %d starts)\n", r.Meta.NodeID, ms.Attempt, r.Meta.IncarnationCount)
	fmt.Fprintf(out, "cluster     %s (joined at index %d, recovery %d)\n", ms.ClusterID, ms.JoinIndex, ms.Recovery)
	if in := r.Meta.Intent; in != nil {
		fmt.Fprintf(out, "joining     %s through %s, attempt %d\n", in.TargetCluster, strings.Join(in.Addrs, " "), in.Attempt)
	}
	if !r.Voter {
		fmt.Fprintln(out, "raft        none: this node followed as an observer")
		for _, p := range ms.Peers {
			fmt.Fprintf(out, "peer        %s at %s\n", p.ID, p.Addr)
		}
		return
	}
	fmt.Fprintf(out, "raft        generation %d, last index %d in term %d, snapshot at %d, %d entries after it\n",
		ms.Generation, r.LastIndex, r.LastTerm, r.Snapshot, r.Uncertain)
	for _, v := range r.Voters {
		fmt.Fprintf(out, "voter       %s\n", v)
	}
	st := r.State
	fmt.Fprintf(out, "state       config index %d, epoch %d, %d nodes, %d slots assigned\n",
		st.Index(), st.CurrentEpoch(), len(st.Nodes()), st.Assigned())
	for _, n := range st.Nodes() {
		role := "primary"
		if !n.IsPrimary() {
			role = "replica of " + string(n.Primary)
		}
		var slots []string
		if n.IsPrimary() {
			for _, s := range st.SlotsOf(n.Shard) {
				slots = append(slots, s.String())
			}
		}
		fail := ""
		if n.Has(fsm.Failed) {
			fail = " fail"
		}
		fmt.Fprintf(out, "member      %s %s:%d@%d %s%s %s\n", n.ID, n.IP, n.Port, n.BusPort, role, fail, strings.Join(slots, " "))
	}
}

// recoverQuorum rebuilds a group from one survivor. Without -force it only
// tells what it would do.
func recoverQuorum(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("recover", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	cluster := fs.String("force", "", "")
	if err := fs.Parse(args); err != nil || fs.NArg() != 1 {
		return flag.ErrHelp
	}
	dir := fs.Arg(0)
	meta, err := store.OpenMeta(dir)
	if err != nil {
		return err
	}
	defer meta.Close() // read-only on the paths that return early
	factory := store.Disk(dir, quiet())
	r, err := raftnode.Inspect(meta, factory)
	if err != nil {
		return err
	}
	printReport(out, r)
	if !r.Voter {
		return raftnode.ErrNoVoter
	}
	id := r.Meta.Membership.ClusterID
	if *cluster == "" {
		fmt.Fprintf(out, `
This would make the node the only voter of its cluster. Up to %d entries that may
never have been committed become the truth, and whatever only the lost voters had
is gone. Do it once, on the survivor with the highest (term, index), with every
other survivor stopped; start this node first, then the others: they follow it.

  conclave-admin recover -force %s %s
`, r.Uncertain, id, dir)
		return nil
	}
	if *cluster != id {
		return fmt.Errorf("this directory belongs to cluster %s, not %s: nothing was changed", id, *cluster)
	}
	if _, err := raftnode.Recover(meta, factory, quiet()); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nrecovered: start this node now, then the other survivors")
	return nil
}
