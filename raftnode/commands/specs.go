package commands

import "conclave/resp/command"

const (
	reader  = command.Loading | command.Stale
	lookup  = command.Stale
	auditor = command.Admin | command.Stale
	mutator = command.Admin | command.Stale | command.NoAsyncLoading | command.Detached
)

// container is CLUSTER with all its subcommands.
func (r *room) container() command.Spec {
	return command.Spec{
		Name: "cluster", Arity: -2, Group: "cluster", Since: "3.0.0", Cost: "Depends on subcommand.",
		Doc: "The cluster's configuration.",
		Sub: append(r.readSpecs(), r.writeSpecs()...),
	}
}

// sub is a subcommand.
func sub(name string, arity int, flags command.Flags, since, cost, args, doc string, run command.Handler) command.Spec {
	return command.Spec{
		Name: name, Arity: arity, Flags: flags, Group: "cluster", Since: since, Cost: cost, Args: args, Doc: doc, Run: run,
	}
}

func (r *room) readSpecs() []command.Spec {
	// differs adds the tip that the reply isn't the same everywhere and always.
	differs := func(s command.Spec) command.Spec {
		s.Tips = append(s.Tips, "nondeterministic_output")
		return s
	}
	return []command.Spec{
		differs(sub("count-failure-reports", 3, auditor, "3.0.0", "O(N) where N is the number of failure reports", "node-id",
			"The number of nodes that suspect a node: the leader, or none.", r.countFailureReports)),
		sub("countkeysinslot", 3, lookup, "3.0.0", "O(1)", "slot", "The number of this node's keys in a slot.", r.countKeysInSlot),
		differs(sub("getkeysinslot", 4, lookup|command.Detached|command.WholeStore, "3.0.0", "O(N) where N is the number of requested keys", "slot count",
			"Some of this node's keys in a slot.", r.getKeysInSlot)),
		sub("help", 2, reader, "5.0.0", "O(1)", "", "Help on the subcommands.", help),
		differs(sub("history", -2, reader, "7.2.0", "O(N) where N is the number of changes shown", "[count]",
			"The latest changes of the configuration, the newest first.", r.history)),
		differs(sub("info", 2, reader, "3.0.0", "O(1)", "", "The state of the cluster and its control plane, as this node sees it.", r.info)),
		sub("keyslot", 3, lookup, "3.0.0", "O(N) where N is the number of bytes in the key", "key", "The hash slot of a key.", keySlot),
		differs(sub("links", 2, lookup, "7.0.0", "O(1)", "", "The links of a gossip bus: there is none, the list is empty.",
			func(c *command.Ctx) { c.Array(0) })),
		sub("myid", 2, reader, "3.0.0", "O(1)", "", "The id of this node.", r.myID),
		differs(sub("myshardid", 2, reader, "7.2.0", "O(1)", "", "The id of the shard that this node belongs to.", r.myShardID)),
		differs(sub("nodes", 2, reader, "3.0.0", "O(N) where N is the number of nodes", "", "The nodes, their roles and slots, a line each.", r.nodes)),
		differs(sub("replicas", 3, auditor, "5.0.0", "O(N) where N is the number of replicas", "node-id", "The replicas of a primary.", r.replicas)),
		differs(sub("shards", 2, reader, "7.0.0", "O(N) where N is the number of nodes", "", "The shards with their slots and nodes.", r.shards)),
		differs(sub("slaves", 3, auditor, "3.0.0", "O(N) where N is the number of replicas", "node-id", "The replicas of a primary.", r.replicas)),
		differs(sub("slots", 2, reader, "3.0.0", "O(N) where N is the number of slot ranges", "", "The ranges of slots and the nodes that serve them.", r.slots)),
		differs(sub("slot-stats", -4, reader, "7.2.0", "O(N log N) where N is the number of slots",
			"<SLOTSRANGE start-slot end-slot | ORDERBY metric [LIMIT count] [ASC | DESC]>", "Figures of the slots of this node's shard.", r.slotStats)),
	}
}

func (r *room) writeSpecs() []command.Spec {
	// change is a command that changes slots, epochs or roles: those in one
	// transaction become one entry.
	change := func(name string, arity int, since, cost, args, doc string) command.Spec {
		s := sub(name, arity, mutator, since, cost, args, doc, r.runOne)
		s.Batch, s.BatchName = r.runBatch, "cluster"
		return s
	}
	const perSlot = "O(N) where N is the number of slots"
	return []command.Spec{
		change("addslots", -3, "3.0.0", perSlot, "slot [slot ...]", "Assigns slots without an owner to this node."),
		change("addslotsrange", -4, "7.0.0", perSlot, "start-slot end-slot [start-slot end-slot ...]", "Assigns ranges of slots without an owner to this node."),
		change("bumpepoch", 2, "3.0.0", "O(1)", "", "Gives this node the highest config epoch."),
		change("delslots", -3, "3.0.0", perSlot, "slot [slot ...]", "Takes slots from their owners, for all nodes."),
		change("delslotsrange", -4, "7.0.0", perSlot, "start-slot end-slot [start-slot end-slot ...]", "Takes ranges of slots from their owners, for all nodes."),
		change("flushslots", 2, "3.0.0", perSlot, "", "Gives up all slots of this node, which must hold no keys."),
		change("replicate", 3, "3.0.0", "O(1)", "node-id", "Makes this node a replica of a primary."),
		change("set-config-epoch", 3, "3.0.0", "O(1)", "config-epoch", "Sets the config epoch of a node that is alone and has none."),
		change("setslot", -4, "3.0.0", "O(1)", "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE> [TIMEOUT timeout]",
			"Opens or closes a slot at this node, or gives it to another."),
		sub("failover", -2, mutator, "3.0.0", "O(1)", "[FORCE | TAKEOVER]", "Makes this replica the primary of its shard.", r.failover),
		sub("forget", 3, mutator, "3.0.0", "O(1)", "node-id", "Removes a node from the cluster.", r.forget),
		sub("meet", -4, mutator, "3.0.0", "O(1)", "ip port [cluster-bus-port]", "Brings this node and another into one cluster.", r.meet),
		sub("reset", -2, auditor|command.NoScript|command.Detached, "3.0.0", "O(N) where N is the number of known nodes", "[HARD | SOFT]",
			"Makes this node leave its cluster and be one of its own.", r.reset),
		sub("saveconfig", 2, mutator, "3.0.0", "O(1)", "", "Writes nodes.conf.", r.saveConfig),
	}
}
