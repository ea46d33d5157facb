package differential

import (
	"fmt"
	"slices"
	"strings"
)

// pair is both servers.
type pair struct {
	ours, theirs *server
	allowed      []allowance // of the program that runs
}

// difference is where a program's replies or data differ.
type difference struct {
	unit         int // that shows it; the number of all, if the data do
	what         string
	ours, theirs string
}

func (d *difference) String() string {
	return fmt.Sprintf("%s\n    ours: %.3000s\n redis's: %.3000s", d.what, d.ours, d.theirs)
}

// both runs a batch on both.
func (p *pair) both(batch [][]string) (ours, theirs []reply, err error) {
	if err := p.ours.send(batch); err != nil {
		return nil, nil, fmt.Errorf("our server: %w", err)
	}
	if err := p.theirs.send(batch); err != nil {
		return nil, nil, fmt.Errorf("redis-server: %w", err)
	}
	if theirs, err = p.theirs.receive(len(batch)); err != nil {
		return nil, theirs, fmt.Errorf("redis-server, after %q: %w", batch[len(theirs)], err)
	}
	if ours, err = p.ours.receive(len(batch)); err != nil {
		return ours, theirs, fmt.Errorf("our server, after %q: %w", batch[len(ours)], err)
	}
	return ours, theirs, nil
}

// batchSize is the number of units that are sent at once.
const batchSize = 64

// run runs a program and returns the first difference, if there is any. An error
// means that a server is no longer there, or doesn't answer.
func (p *pair) run(prog *program) (*difference, error) {
	if _, _, err := p.both(append([][]string{{"DISCARD"}, {"UNWATCH"}}, prog.setup...)); err != nil {
		return nil, err
	}
	p.allowed = allowances(prog)
	half := len(prog.units) / 2
	for from := 0; from < len(prog.units); {
		to := min(from+batchSize, len(prog.units))
		if from < half {
			to = min(to, half)
		}
		if d, err := p.batch(prog, from, to); d != nil || err != nil {
			return d, err
		}
		if to == half {
			if d, err := p.exchange(half); d != nil || err != nil {
				return d, err
			}
		}
		from = to
	}
	return p.data(len(prog.units))
}

func (p *pair) batch(prog *program, from, to int) (*difference, error) {
	var batch [][]string
	var unit []int
	for i := from; i < to; i++ {
		for _, args := range prog.units[i] {
			batch, unit = append(batch, args), append(unit, i)
		}
	}
	ours, theirs, err := p.both(batch)
	if err != nil {
		return nil, err
	}
	var queued [][]string
	for i, args := range batch {
		switch {
		case strings.EqualFold(args[0], "MULTI"):
			queued = nil
		case theirs[i].text == "QUEUED":
			queued = append(queued, args)
		case strings.EqualFold(args[0], "EXEC") && len(ours[i].elems) == len(queued) && len(theirs[i].elems) == len(queued):
			for j, args := range queued {
				if !same(p.allowed, args, ours[i].elems[j], theirs[i].elems[j]) {
					return &difference{unit[i], "in a transaction: " + line(args), ours[i].elems[j].String(), theirs[i].elems[j].String()}, nil
				}
			}
			continue
		}
		if !same(p.allowed, args, ours[i], theirs[i]) {
			return &difference{unit[i], line(args), ours[i].String(), theirs[i].String()}, nil
		}
	}
	return nil, nil
}

// keysOf are the keys of the current database, sorted; of both, if they are equal.
func (p *pair) keysOf(unit int, where string) ([]string, *difference, error) {
	ours, theirs, err := p.both([][]string{{"KEYS", "*"}})
	if err != nil {
		return nil, nil, err
	}
	if a, b := leaves(ours[0]), leaves(theirs[0]); len(ours[0].elems) != len(theirs[0].elems) || !slices.Equal(a, b) {
		return nil, &difference{unit, where + ": KEYS *", strings.Join(a, " "), strings.Join(b, " ")}, nil
	}
	var all []string
	for _, k := range theirs[0].elems {
		all = append(all, k.text)
	}
	slices.Sort(all)
	return all, nil, nil
}

// exchange replaces each key of database 0 by what the other server dumped.
func (p *pair) exchange(unit int) (*difference, error) {
	if _, _, err := p.both([][]string{{"SELECT", "0"}}); err != nil {
		return nil, err
	}
	all, d, err := p.keysOf(unit, "before values are exchanged")
	if d != nil || err != nil || len(all) == 0 {
		return d, err
	}
	return p.travel(unit, all, func(key string) string { return key })
}

// travel restores here what was dumped there, and the other way round.
func (p *pair) travel(unit int, all []string, name func(key string) string) (*difference, error) {
	dumps, digests := make([][]string, len(all)), make([][]string, len(all))
	for i, key := range all {
		dumps[i] = []string{"DUMP", key}
		digests[i] = []string{"DEBUG", "DIGEST-VALUE", name(key)}
	}
	ours, theirs, err := p.both(dumps)
	if err != nil {
		return nil, err
	}
	toOurs, toTheirs := make([][]string, len(all)), make([][]string, len(all))
	for i, key := range all {
		toOurs[i] = []string{"RESTORE", name(key), "0", theirs[i].text, "REPLACE"}
		toTheirs[i] = []string{"RESTORE", name(key), "0", ours[i].text, "REPLACE"}
	}
	if err := p.ours.send(toOurs); err != nil {
		return nil, err
	}
	if err := p.theirs.send(toTheirs); err != nil {
		return nil, err
	}
	if ours, err = p.ours.receive(len(all)); err != nil {
		return nil, err
	}
	if theirs, err = p.theirs.receive(len(all)); err != nil {
		return nil, err
	}
	for i, key := range all {
		if ours[i].text != "OK" || theirs[i].text != "OK" {
			return &difference{unit, "RESTORE of what the other dumped of " + key, ours[i].String(), theirs[i].String()}, nil
		}
	}
	return p.compare(unit, "after DUMP and RESTORE: ", digests)
}

func (p *pair) compare(unit int, where string, batch [][]string) (*difference, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	ours, theirs, err := p.both(batch)
	if err != nil {
		return nil, err
	}
	for i, args := range batch {
		if !same(p.allowed, args, ours[i], theirs[i]) {
			return &difference{unit, where + line(args), ours[i].String(), theirs[i].String()}, nil
		}
	}
	return nil, nil
}

// data compares what a program left behind.
func (p *pair) data(unit int) (*difference, error) {
	for _, db := range []string{"0", "1"} {
		if _, _, err := p.both([][]string{{"SELECT", db}}); err != nil {
			return nil, err
		}
		all, d, err := p.keysOf(unit, "database "+db)
		if d != nil || err != nil {
			return d, err
		}
		var looks [][]string
		for _, key := range all {
			looks = append(looks, []string{"TYPE", key}, []string{"DEBUG", "DIGEST-VALUE", key}, []string{"PEXPIRETIME", key}, []string{"OBJECT", "ENCODING", key})
			if strings.HasPrefix(key, "x") {
				looks = append(looks, []string{"XINFO", "STREAM", key, "FULL", "COUNT", "0"}, []string{"XINFO", "GROUPS", key})
			}
		}
		if d, err := p.compare(unit, "at the end: ", looks); d != nil || err != nil {
			return d, err
		}
		if len(all) == 0 {
			continue
		}
		if d, err := p.travel(unit, all, func(key string) string { return "copy:" + key }); d != nil || err != nil {
			return d, err
		}
	}
	return nil, nil
}

// shrink removes units from a program as long as it shows a difference.
func (p *pair) shrink(prog *program, d *difference) (*program, *difference, error) {
	small := &program{number: prog.number, setup: prog.setup, units: slices.Clone(prog.units[:min(d.unit+1, len(prog.units))])}
	for size := max(1, len(small.units)/2); ; size /= 2 {
		for from := 0; from < len(small.units); {
			try := *small
			try.units = slices.Delete(slices.Clone(small.units), from, min(from+size, len(small.units)))
			found, err := p.run(&try)
			if err != nil {
				return small, d, err
			}
			if found == nil {
				from += size
				continue
			}
			d, small.units = found, try.units[:min(found.unit+1, len(try.units))]
		}
		if size == 1 {
			return small, d, nil
		}
	}
}
