package fsm

import "fmt"

// Code identifies an operation in the log. Codes never change meaning
// (testdata/codes.golden).
type Code uint16

// Op is one operation: a pointer to one of this package's structs. The
// preconditions are decided in apply and nowhere else; a refused operation
// changes nothing.
type Op interface {
	opCode() Code
	encode(b []byte) []byte
	decode(d *decoder)
	apply(d *draft) *Refusal
}

// MaxLevel is the highest feature level this binary knows.
const MaxLevel uint32 = 1

// opVersion is the layout version of every operation's body so far.
const opVersion = 1

type opDef struct {
	code  Code
	name  string
	since uint32 // feature level
	fresh func() Op
}

func def[T any, P interface {
	*T
	Op
}](name string, since uint32) opDef {
	fresh := func() Op { return P(new(T)) }
	return opDef{fresh().opCode(), name, since, fresh}
}

// families lists the operations; each family has a file of its own.
func families() [][]opDef {
	return [][]opDef{systemOps, memberOps, slotOps, markOps, epochOps, roleOps}
}

const maxCode = 64

var ops = buildOps()

func buildOps() (table [maxCode]opDef) {
	for _, family := range families() {
		for _, def := range family {
			table[def.code] = def
		}
	}
	return table
}

func lookupOp(c Code) (opDef, error) {
	if c >= maxCode || ops[c].fresh == nil {
		return opDef{}, fmt.Errorf("operation code %d is unknown", c)
	}
	return ops[c], nil
}

// Name is an operation's name, such as "slots.move".
func Name(op Op) string {
	def, err := lookupOp(op.opCode())
	if err != nil {
		return "unknown"
	}
	return def.name
}

// New is a zero operation with this name, or nil.
func New(name string) Op {
	for i := range ops {
		if ops[i].fresh != nil && ops[i].name == name {
			return ops[i].fresh()
		}
	}
	return nil
}

// Operation is an entry of the table of operations.
type Operation struct {
	Code  Code
	Name  string
	Since uint32 // feature level
}

// Operations lists the operations by code.
func Operations() []Operation {
	var out []Operation
	for _, def := range ops {
		if def.fresh != nil {
			out = append(out, Operation{def.code, def.name, def.since})
		}
	}
	return out
}
