package commands

import (
	"conclave/resp/command"
	"conclave/resp/server"
)

func (r *room) pubsubSpecs() []command.Spec {
	const (
		publish   = command.PubSub | command.Loading | command.Stale | command.Fast
		subscribe = command.PubSub | command.NoScript | command.Loading | command.Stale
		look      = command.PubSub | command.Loading | command.Stale
	)
	spec := func(name string, arity int, flags command.Flags, since, args, cost, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, Group: "pubsub", Since: since, Args: args, Cost: cost, Doc: doc, Run: run}
	}
	sharded := func(s command.Spec, last int) command.Spec {
		s.Keys = []command.KeySpec{{Begin: 1, Last: last, Flags: command.NotKey}}
		return s
	}
	help := helpSpec("6.2.0", 0, pubsubHelp)
	help.Group = "pubsub"
	return []command.Spec{
		spec("publish", 3, publish|command.MayReplicate, "2.0.0", "channel message",
			"O(N+M) where N is the number of subscribers of the channel and M is the number of patterns that anybody is subscribed to.",
			"Sends a message to the subscribers of a channel, on every node.", r.publish),
		sharded(spec("spublish", 3, publish|command.MayReplicate, "7.0.0", "shardchannel message",
			"O(N) where N is the number of subscribers of the shard channel.",
			"Sends a message to the subscribers of a shard channel.", r.publishShard), 0),
		spec("subscribe", -2, subscribe, "2.0.0", "channel [channel ...]", "O(N) where N is the number of channels.",
			"Subscribes to channels.", subscribeTo(server.Channel)),
		spec("unsubscribe", -1, subscribe, "2.0.0", "[channel [channel ...]]", "O(N) where N is the number of channels.",
			"Takes subscriptions to channels back, or all of them.", unsubscribeFrom(server.Channel)),
		spec("psubscribe", -2, subscribe, "2.0.0", "pattern [pattern ...]", "O(N) where N is the number of patterns.",
			"Subscribes to the channels that match patterns.", subscribeTo(server.Pattern)),
		spec("punsubscribe", -1, subscribe, "2.0.0", "[pattern [pattern ...]]", "O(N+M) where N is the number of patterns and M that of all patterns that anybody is subscribed to.",
			"Takes subscriptions to patterns back, or all of them.", unsubscribeFrom(server.Pattern)),
		sharded(spec("ssubscribe", -2, subscribe, "7.0.0", "shardchannel [shardchannel ...]", "O(N) where N is the number of shard channels.",
			"Subscribes to shard channels, which belong to a hash slot as keys do.", subscribeShard), -1),
		sharded(spec("sunsubscribe", -1, subscribe, "7.0.0", "[shardchannel [shardchannel ...]]", "O(N) where N is the number of shard channels.",
			"Takes subscriptions to shard channels back, or all of them.", unsubscribeFrom(server.ShardChannel)), -1),
		{Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0", Cost: "Depends on subcommand.", Doc: "A container for commands about subscriptions.",
			Sub: []command.Spec{
				spec("channels", -2, look, "2.8.0", "[pattern]", "O(N) where N is the number of channels.",
					"Channels that somebody is subscribed to.", r.channels(server.Channel)),
				spec("numpat", 2, look, "2.8.0", "", "O(1)",
					"The number of patterns that somebody is subscribed to.", func(c *command.Ctx) { c.Int(int64(r.Server.Topics(server.Pattern))) }),
				spec("numsub", -2, look, "2.8.0", "[channel [channel ...]]", "O(N) where N is the number of channels asked for.",
					"The numbers of subscribers of channels.", r.subscribers(server.Channel)),
				spec("shardchannels", -2, look, "7.0.0", "[pattern]", "O(N) where N is the number of shard channels.",
					"Shard channels that somebody is subscribed to.", r.channels(server.ShardChannel)),
				spec("shardnumsub", -2, look, "7.0.0", "[shardchannel [shardchannel ...]]", "O(N) where N is the number of shard channels asked for.",
					"The numbers of subscribers of shard channels.", r.subscribers(server.ShardChannel)),
				help,
			}},
	}
}

func (r *room) publish(c *command.Ctx) {
	n := r.Server.Publish(c.Arg(1), c.Arg(2))
	if r.Forward != nil {
		r.Forward(false, c.Arg(1), c.Arg(2))
	}
	c.Int(int64(n))
}

func (r *room) publishShard(c *command.Ctx) {
	n := r.Server.PublishShard(c.Arg(1), c.Arg(2))
	if r.Forward != nil {
		r.Forward(true, c.Arg(1), c.Arg(2))
	}
	c.Int(int64(n))
}

func subscribeTo(kind server.Topic) command.Handler {
	return func(c *command.Ctx) {
		for _, name := range c.Args[1:] {
			session(c).Subscribe(kind, name)
		}
	}
}

// subscribeShard refuses within EXEC, as Redis does: there each command must have
// one reply.
func subscribeShard(c *command.Ctx) {
	if c.InExec {
		c.Error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
		return
	}
	subscribeTo(server.ShardChannel)(c)
}

func unsubscribeFrom(kind server.Topic) command.Handler {
	return func(c *command.Ctx) {
		if len(c.Args) == 1 {
			session(c).UnsubscribeAll(kind)
			return
		}
		for _, name := range c.Args[1:] {
			session(c).Unsubscribe(kind, name)
		}
	}
}

func (r *room) channels(kind server.Topic) command.Handler {
	return func(c *command.Ctx) {
		if len(c.Args) > 3 {
			c.Error("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try PUBSUB HELP.")
			return
		}
		var pattern []byte
		if len(c.Args) == 3 {
			pattern = c.Arg(2)
		}
		names := r.Server.ChannelsMatching(kind, pattern)
		c.Array(len(names))
		for _, name := range names {
			c.BulkString(name)
		}
	}
}

func (r *room) subscribers(kind server.Topic) command.Handler {
	return func(c *command.Ctx) {
		c.Array(2 * (len(c.Args) - 2))
		for _, name := range c.Args[2:] {
			c.Bulk(name)
			c.Int(int64(r.Server.Subscribers(kind, name)))
		}
	}
}

func pubsubHelp(c *command.Ctx) {
	help(c, "PUBSUB",
		"CHANNELS [<pattern>]",
		"    Return the channels that somebody is subscribed to, those that match <pattern>.",
		"NUMPAT",
		"    Return the number of patterns that somebody is subscribed to.",
		"NUMSUB [<channel> ...]",
		"    Return the numbers of subscribers of channels, those by pattern not counted.",
		"SHARDCHANNELS [<pattern>]",
		"    Return the shard channels that somebody is subscribed to, those that match <pattern>.",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Return the numbers of subscribers of shard channels.")
}
