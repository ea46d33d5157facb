package fsm_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"conclave/fsm"
	"conclave/fsm/fsmtest"
	"conclave/fsm/slot"
)

// TestCodesGolden fails if an operation's code, name or level ever changes.
// New lines are added by hand.
func TestCodesGolden(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/codes.golden")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, op := range fsm.Operations() {
		fmt.Fprintf(&got, "%d %s %d\n", op.Code, op.Name, op.Since)
		if fresh := fsm.New(op.Name); fresh == nil || fsm.Name(fresh) != op.Name {
			t.Errorf("New(%q) gives %v", op.Name, fresh)
		}
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if fsm.New("nothing") != nil {
		t.Error("New makes what isn't there")
	}
}

// examples reads the hex dumps in FORMAT.md by their heading.
func examples(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, m := range regexp.MustCompile("(?s)Example \\(([a-z]+)\\).*?```hex\n(.*?)```").FindAllSubmatch(text, -1) {
		var digits []byte
		for line := range bytes.SplitSeq(m[2], []byte("\n")) {
			code, _, _ := bytes.Cut(line, []byte("#"))
			digits = append(digits, bytes.ReplaceAll(code, []byte(" "), nil)...)
		}
		b, err := hex.DecodeString(string(digits))
		if err != nil {
			t.Fatalf("example %s: %v", m[1], err)
		}
		out[string(m[1])] = b
	}
	return out
}

func exampleEntry() *fsm.Entry {
	return &fsm.Entry{
		Op:      &fsm.MoveSlots{From: "a", Tenure: 7, To: "b", Slots: []slot.Range{{Start: 100, End: 300}}},
		Request: fsm.Request{Origin: "a", Incarnation: fsm.Incarnation{Count: 2, Random: 9}, Seq: 5},
		WallMs:  1000,
	}
}

func exampleState(t *testing.T) *fsm.State {
	t.Helper()
	s, res := fsm.Empty().Apply(3, &fsm.Entry{Op: &fsm.Found{
		ClusterID: "c", Node: fsm.Node{ID: "a", Attempt: 1, Shard: "s"}, Slots: []slot.Range{{Start: 0, End: 9}},
	}})
	if res.Refusal != nil {
		t.Fatal(res.Refusal)
	}
	return s
}

func TestFormatExamples(t *testing.T) {
	t.Parallel()
	ex := examples(t)
	if got := exampleEntry().Encode(nil); !bytes.Equal(got, ex["entry"]) {
		t.Errorf("the entry is % x, FORMAT.md says % x", got, ex["entry"])
	}
	e, err := fsm.DecodeEntry(ex["entry"])
	if err != nil || !reflect.DeepEqual(e, exampleEntry()) {
		t.Errorf("FORMAT.md's entry reads as %+v, %v", e, err)
	}
	var b bytes.Buffer
	want := exampleState(t)
	if err := want.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), ex["snapshot"]) {
		t.Errorf("the snapshot is\n% x, FORMAT.md says\n% x", b.Bytes(), ex["snapshot"])
	}
	s, err := fsm.Decode(bytes.NewReader(ex["snapshot"]))
	if err != nil || s.Hash() != want.Hash() {
		t.Errorf("FORMAT.md's snapshot doesn't read as that state: %v", err)
	}
}

func TestDecodeEntryErrors(t *testing.T) {
	t.Parallel()
	good := exampleEntry().Encode(nil)
	with := func(i int, b byte) []byte {
		c := bytes.Clone(good)
		c[i] = b
		return c
	}
	batch := func(ops ...fsm.Op) []byte { return (&fsm.Entry{Op: &fsm.Batch{Ops: ops}}).Encode(nil) }
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"empty":           {nil, "ends too early"},
		"unknown code":    {with(0, 63), "operation code 63 is unknown"},
		"huge code":       {with(1, 0xff), "is unknown"},
		"newer version":   {with(2, 2), "slots.move has version 2, this binary knows 1"},
		"unknown flags":   {with(3, 3), "unknown flags 0x3"},
		"left over":       {append(bytes.Clone(good), 0), "1 bytes left over"},
		"too long":        {make([]byte, fsm.MaxEntry+1), "above the limit"},
		"newer level":     {(&fsm.Entry{Op: &fsm.RaiseLevel{Level: fsm.MaxLevel + 1}}).Encode(nil), "this binary knows up to"},
		"nested batch":    {batch(&fsm.Batch{}), "system.batch within a batch"},
		"founding batch":  {batch(&fsm.Found{}), "system.found within a batch"},
		"long batch":      {batch(make0(1025)...), "above the limit of 1024"},
		"padded number":   {append(bytes.Clone((&fsm.Entry{Op: &fsm.Noop{}}).Encode(nil))[:4], 0x80, 0), "shortest form"},
		"unknown in part": {[]byte{2, 0, 1, 0, 0, 1, 60, 1, 0}, "operation code 60 is unknown"},
	} {
		if _, err := fsm.DecodeEntry(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for n := range good {
		if _, err := fsm.DecodeEntry(good[:n]); err == nil {
			t.Errorf("the first %d bytes decode", n)
		}
	}
}

func make0(n int) []fsm.Op {
	ops := make([]fsm.Op, n)
	for i := range ops {
		ops[i] = &fsm.Noop{}
	}
	return ops
}

// TestEveryOperationTravels encodes each kind of operation and reads it back.
func TestEveryOperationTravels(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range uint64(20) {
		g := fsmtest.New(seed)
		s := fsm.Empty()
		for i := range uint64(200) {
			e := g.Entry(s)
			s, _ = s.Apply(i+1, e)
			if _, ok := e.Op.(*fsm.Batch); ok && s.ClusterID() == "" {
				continue
			}
			got, err := fsm.DecodeEntry(e.Encode(nil))
			if err != nil {
				if strings.Contains(err.Error(), "within a batch") {
					continue
				}
				t.Fatalf("%s: %v", fsm.Name(e.Op), err)
			}
			if !bytes.Equal(got.Encode(nil), e.Encode(nil)) {
				t.Fatalf("%+v comes back as %+v", e.Op, got.Op)
			}
			seen[fsm.Name(e.Op)] = true
		}
	}
	for _, op := range fsm.Operations() {
		if !seen[op.Name] {
			t.Errorf("%s is never made up", op.Name)
		}
	}
}

func TestResultTravels(t *testing.T) {
	t.Parallel()
	for _, r := range []fsm.Result{
		{},
		{Index: 9, Changed: true, Epoch: 4, Bumped: true},
		{Index: 9, Diverged: true},
		{Index: 9, Refusal: &fsm.Refusal{Reason: fsm.SlotBusy, Slot: 0, Node: "a"}},
		{Index: 9, Refusal: &fsm.Refusal{Reason: fsm.Invalid, Slot: 65535}},
		{Index: 9, Changed: true, Sub: []fsm.Result{{Index: 9}, {Refusal: &fsm.Refusal{Reason: 900, Slot: -1}}}},
	} {
		b := r.Encode(nil)
		got, err := fsm.DecodeResult(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v comes back as %+v, %v", r, got, err)
		}
		for n := range b {
			if _, err := fsm.DecodeResult(b[:n]); err == nil {
				t.Errorf("%+v: the first %d bytes decode", r, n)
			}
		}
	}
	deep := fsm.Result{Sub: []fsm.Result{{Sub: []fsm.Result{{}}}}}
	if _, err := fsm.DecodeResult(deep.Encode(nil)); err == nil {
		t.Error("a result nests without a limit")
	}
}

// FuzzEntry: whatever decodes is encoded to the same bytes, and applying it to
// a cluster keeps the invariants.
func FuzzEntry(f *testing.F) {
	g := fsmtest.New(1)
	s := fsm.Empty()
	for i := range uint64(120) {
		e := g.Entry(s)
		s, _ = s.Apply(i+1, e)
		f.Add(e.Encode(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := fsm.DecodeEntry(b)
		if err != nil {
			return
		}
		if again := e.Encode(nil); !bytes.Equal(again, b) {
			t.Fatalf("% x is encoded as % x", b, again)
		}
		for _, from := range []*fsm.State{fsm.Empty(), s} {
			next, _ := from.Apply(from.Index()+1, e)
			if err := next.Check(); err != nil {
				t.Fatalf("%s %+v: %v", fsm.Name(e.Op), e.Op, err)
			}
		}
	})
}

// FuzzDecode: a snapshot is refused or it is a state that encodes to an equal
// one. Checksums are put right first: they would stop nearly everything.
func FuzzDecode(f *testing.F) {
	add := func(s *fsm.State) {
		var b bytes.Buffer
		if err := s.Encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add(fsm.Empty())
	for seed := range uint64(6) {
		g := fsmtest.New(seed)
		g.Nodes = 4
		s := fsm.Empty()
		for i := range uint64(12) {
			s, _ = s.Apply(i+1, g.Entry(s))
		}
		add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := fsm.Decode(bytes.NewReader(sealed(b)))
		if err != nil {
			return
		}
		if restored(t, s).Hash() != s.Hash() {
			t.Fatal("encoding what was decoded gives another state")
		}
		g := fsmtest.New(1)
		for i := range uint64(3) {
			s, _ = s.Apply(s.Index()+i+1, g.Entry(s))
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// sealed is a snapshot with the checksums of its sections put right.
func sealed(b []byte) []byte {
	const head = 14
	b = bytes.Clone(b)
	for at := head; at+7 <= len(b); {
		end := at + 7 + int(binary.LittleEndian.Uint32(b[at+3:]))
		if end+4 > len(b) {
			break
		}
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[at:end], crc32.MakeTable(crc32.Castagnoli)))
		at = end + 4
	}
	return b
}

// TestDecodeErrors damages a good snapshot.
func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	good := examples(t)["snapshot"]
	with := func(i int, v byte) []byte {
		c := bytes.Clone(good)
		c[i] = v
		return c
	}
	section := func(tag, flags byte, body string) []byte {
		s := append([]byte{tag, 0, flags, byte(len(body)), 0, 0, 0}, body...)
		return append(s, 0, 0, 0, 0)
	}
	insert := func(before []byte) []byte {
		end := len(good) - 11
		return sealed(append(append(bytes.Clone(good[:end]), before...), good[end:]...))
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"empty":             {nil, "EOF"},
		"magic":             {with(0, 'X'), "not a snapshot"},
		"format":            {with(8, 2), "format version 2, this binary knows 1"},
		"level":             {with(10, 9), "feature level 9, this binary knows up to 1"},
		"damaged":           {with(22, 'd'), "section 1 is damaged"},
		"section flags":     {with(16, 3), "unknown flags"},
		"long section":      {with(20, 0xff), "above the limit"},
		"required section":  {insert(section(77, 1, "x")), "section 77 is unknown and required"},
		"out of order":      {insert(section(2, 1, "")), "section 2 out of order"},
		"slots of nobody":   {insert(section(4, 1, "\x64\x01\x01\x03")), "section 4 out of order"},
		"after the end":     {append(bytes.Clone(good), 0), "bytes after the end"},
		"only the end":      {append(bytes.Clone(good[:14]), good[len(good)-11:]...), "no section with the cluster's id"},
		"claimed, not sent": {append(bytes.Clone(good[:14]), 1, 0, 1, 0, 0, 0xff, 0), "unexpected EOF"},
	} {
		if _, err := fsm.Decode(bytes.NewReader(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for n := range good {
		if _, err := fsm.Decode(bytes.NewReader(good[:n])); err == nil {
			t.Errorf("the first %d bytes decode", n)
		}
	}
	s, err := fsm.Decode(bytes.NewReader(insert(section(77, 0, "from the future"))))
	if err != nil || s.Hash() != exampleState(t).Hash() {
		t.Errorf("an optional section isn't skipped: %v", err)
	}
}
