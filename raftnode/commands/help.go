package commands

import (
	"strings"

	"conclave/resp/command"
)

// helpText is CLUSTER HELP's reply: each subcommand with its description below.
const helpText = `ADDSLOTS <slot> [<slot> ...]
    Assign slots to current node.
ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]
    Assign slots which are between <start-slot> and <end-slot> to current node.
BUMPEPOCH
    Advance the cluster config epoch.
COUNT-FAILURE-REPORTS <node-id>
    Return number of failure reports for <node-id>.
COUNTKEYSINSLOT <slot>
    Return the number of keys in <slot>.
DELSLOTS <slot> [<slot> ...]
    Delete slots information, whoever owns them.
DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]
    Delete slots information which are between <start-slot> and <end-slot>.
FAILOVER [FORCE|TAKEOVER]
    Promote current replica node to being a master.
FORGET <node-id>
    Remove a node from the cluster.
FLUSHSLOTS
    Delete current node own slots information.
GETKEYSINSLOT <slot> <count>
    Return key names stored by current node in a slot.
HISTORY [<count>]
    Return the latest changes of the configuration, newest first.
INFO
    Return information about the cluster.
KEYSLOT <key>
    Return the hash slot for <key>.
LINKS
    Return information about all network links between this node and its peers.
MEET <ip> <port> [<bus-port>]
    Connect nodes into a working cluster.
MYID
    Return the node id.
MYSHARDID
    Return the node's shard id.
NODES
    Return cluster configuration seen by node. Output format:
    <id> <ip:port@bus-port[,hostname]> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...
REPLICAS <node-id>
    Return <node-id> replicas.
REPLICATE <node-id>
    Configure current node as replica to <node-id>.
RESET [HARD|SOFT]
    Reset current node (default: soft).
SAVECONFIG
    Force saving cluster configuration on disk.
SET-CONFIG-EPOCH <epoch>
    Set config epoch of current node.
SETSLOT <slot> (IMPORTING|MIGRATING|STABLE|NODE <node-id>) [TIMEOUT <milliseconds>]
    Set slot state.
SHARDS
    Return information about slot range mappings and the nodes associated with them.
SLOT-STATS (SLOTSRANGE <start slot> <end slot>|ORDERBY <metric> [LIMIT <limit>] [ASC|DESC])
    Return slot usage statistics for slots assigned to the current shard.
SLOTS
    Return information about slots range mappings. Each range is made of:
    start, end, master and replicas IP addresses, ports and ids
HELP
    Print this help.`

func help(c *command.Ctx) {
	lines := strings.Split(helpText, "\n")
	c.Array(len(lines) + 1)
	c.Simple("CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Simple(l)
	}
}
