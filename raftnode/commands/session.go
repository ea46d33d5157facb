package commands

import "conclave/resp/command"

// connectionSpecs are the commands that set a connection's cluster flags.
func (r *room) connectionSpecs() []command.Spec {
	const sticky = command.Fast | command.Loading | command.Stale
	return []command.Spec{
		{Name: "asking", Arity: 1, Flags: command.Fast, ACL: command.CatConnection, Group: "cluster", Since: "3.0.0", Cost: "O(1)",
			Doc: "Lets the next command use a slot that this node imports.",
			Run: func(c *command.Ctx) { c.Session.SetAsking(); c.OK() }},
		{Name: "readonly", Arity: 1, Flags: sticky, ACL: command.CatConnection, Group: "cluster", Since: "3.0.0", Cost: "O(1)",
			Doc: "Lets this connection read from a replica.",
			Run: func(c *command.Ctx) { c.Session.SetReadOnly(true); c.OK() }},
		{Name: "readwrite", Arity: 1, Flags: sticky, ACL: command.CatConnection, Group: "cluster", Since: "3.0.0", Cost: "O(1)",
			Doc: "Ends READONLY.",
			Run: func(c *command.Ctx) { c.Session.SetReadOnly(false); c.OK() }},
	}
}
