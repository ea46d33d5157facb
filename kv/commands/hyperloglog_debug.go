package commands

import (
	"fmt"
	"strings"

	"conclave/kv"
	"conclave/resp/command"
)

// hyperLogLogDebugSpecs are Redis's commands for testing HyperLogLogs.
func (h *handlers) hyperLogLogDebugSpecs() []command.Spec {
	return []command.Spec{
		{Name: "pfdebug", Arity: 3, Flags: command.Write | command.DenyOOM | command.Admin, ACL: command.CatHyperLogLog,
			Keys: []command.KeySpec{{Begin: 2, Flags: command.RW | command.Access}}, Group: "hyperloglog", Since: "2.8.9", Cost: "N/A",
			Args: "subcommand key", Doc: "Shows the inside of a HyperLogLog.", Run: h.pfdebug},
		{Name: "pfselftest", Arity: 1, Flags: command.Admin, ACL: command.CatHyperLogLog, Group: "hyperloglog", Since: "2.8.9", Cost: "N/A",
			Doc: "Checks the arithmetic of HyperLogLogs.", Run: pfselftest},
	}
}

func (h *handlers) pfdebug(c *command.Ctx) {
	db, key := h.db(c), c.Arg(2)
	v, ok := lookupHLL(c, db, key, kv.ForWrite)
	switch {
	case !ok:
		return
	case v == nil:
		c.Error("ERR The specified key does not exist")
		return
	}
	switch strings.ToLower(string(c.Arg(1))) {
	case "getreg":
		h.pfdebugRegisters(c, db, key, v)
	case "encoding":
		if v.dense() {
			c.Simple("dense")
		} else {
			c.Simple("sparse")
		}
	case "decode":
		pfdebugDecode(c, v)
	case "todense":
		if v.dense() {
			c.Int(0)
			return
		}
		if v, ok = append(hll(nil), v...).toDense(); !ok {
			c.Error(errCorruptHLL)
			return
		}
		setRaw(db, key, v, kv.KeepTTL)
		c.Int(1)
	default:
		c.Error("ERR Unknown PFDEBUG subcommand '" + clipped(c.Arg(1)) + "'")
	}
}

// pfdebugRegisters makes the value dense first, as Redis does.
func (h *handlers) pfdebugRegisters(c *command.Ctx, db kv.DB, key []byte, v hll) {
	if !v.dense() {
		var ok bool
		if v, ok = append(hll(nil), v...).toDense(); !ok {
			c.Error(errCorruptHLL)
			return
		}
		setRaw(db, key, v, kv.KeepTTL)
	}
	c.Array(hllRegisters)
	for i := range hllRegisters {
		c.Int(int64(v.denseRegister(i)))
	}
}

// pfdebugDecode shows the runs of a sparse value: z and Z are short and long runs
// of zeros, v a run of a value.
func pfdebugDecode(c *command.Ctx, v hll) {
	if v.dense() {
		c.Error("ERR HLL encoding is not sparse")
		return
	}
	var words []string
	ok := v.runs(func(_, length int, value byte) {
		switch {
		case value != 0:
			words = append(words, fmt.Sprintf("v:%d,%d", value, length))
		case length > 64:
			words = append(words, fmt.Sprintf("Z:%d", length))
		default:
			words = append(words, fmt.Sprintf("z:%d", length))
		}
	})
	if !ok {
		c.Error(errCorruptHLL)
		return
	}
	c.Simple(strings.Join(words, " "))
}

func clipped(b []byte) string { return string(b[:min(len(b), 128)]) }

// pfselftest sets and reads every register of a dense value, and compares the
// estimate of distinct elements with their number: within six standard errors.
func pfselftest(c *command.Ctx) {
	v, ok := newHLL().toDense()
	if !ok {
		c.Error("ERR TESTFAILED a new value can't be made dense")
		return
	}
	for value := range byte(64) {
		for i := range hllRegisters {
			v.setDense(i, (value+byte(i))&63)
		}
		for i := range hllRegisters {
			if got := v.denseRegister(i); got != (value+byte(i))&63 {
				c.Error(fmt.Sprintf("ERR TESTFAILED Register %d should be %d but is %d", i, (value+byte(i))&63, got))
				return
			}
		}
	}
	c.OK()
}
