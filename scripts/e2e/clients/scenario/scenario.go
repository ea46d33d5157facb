package scenario

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Client is a library under test. Replies come as text, integers too.
type Client interface {
	Do(args ...string) (string, error)
	// Pipeline sends commands for several slots without waiting in between.
	Pipeline(commands [][]string) ([]string, error)
	// Transaction runs commands on keys of one slot between MULTI and EXEC.
	Transaction(commands [][]string) ([]string, error)
}

const keys = 200

// Run goes through the scenario. It says on out when slots may be moved, and
// waits on in until they were.
func Run(c Client, in io.Reader, out io.Writer) error {
	if err := start(c); err != nil {
		return fmt.Errorf("before slots move: %w", err)
	}
	fmt.Fprintln(out, "started")
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the slots to move: %w", err)
	}
	if err := follow(c); err != nil {
		return fmt.Errorf("after slots moved: %w", err)
	}
	fmt.Fprintln(out, "followed")
	return nil
}

func start(c Client) error {
	var sets, gets [][]string
	var oks, values []string
	for i := range keys {
		key, value := "key:"+strconv.Itoa(i), strconv.Itoa(i)
		sets, oks = append(sets, []string{"SET", key, value}), append(oks, "OK")
		gets, values = append(gets, []string{"GET", key}), append(values, value)
	}
	if err := expect(oks)(c.Pipeline(sets)); err != nil {
		return fmt.Errorf("pipeline of SET: %w", err)
	}
	if err := expect(values)(c.Pipeline(gets)); err != nil {
		return fmt.Errorf("pipeline of GET: %w", err)
	}
	for _, tag := range []string{"{moved}", "{ask}"} {
		for i := range 10 {
			if err := do(c, "OK", "SET", tag+strconv.Itoa(i), strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return transaction(c, "{tx}")
}

// follow finds all keys where they are now: {moved} belongs to another node,
// {ask} is on its way with half of its keys.
func follow(c Client) error {
	for _, tag := range []string{"{moved}", "{ask}"} {
		for i := range 10 {
			if err := do(c, strconv.Itoa(i), "GET", tag+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		if err := do(c, "OK", "SET", tag+"new", "1"); err != nil {
			return err
		}
		if err := do(c, "1", "GET", tag+"new"); err != nil {
			return err
		}
	}
	if err := transaction(c, "{moved}"); err != nil {
		return err
	}
	var gets [][]string
	var values []string
	for i := range keys {
		gets, values = append(gets, []string{"GET", "key:" + strconv.Itoa(i)}), append(values, strconv.Itoa(i))
	}
	if err := expect(values)(c.Pipeline(gets)); err != nil {
		return fmt.Errorf("pipeline of GET: %w", err)
	}
	return nil
}

func transaction(c Client, tag string) error {
	err := expect([]string{"OK", "8", "8"})(c.Transaction([][]string{
		{"SET", tag + "n", "7"}, {"INCR", tag + "n"}, {"GET", tag + "n"},
	}))
	if err != nil {
		return fmt.Errorf("transaction on %s: %w", tag, err)
	}
	return nil
}

func do(c Client, want string, args ...string) error {
	got, err := c.Do(args...)
	if err == nil && got != want {
		err = fmt.Errorf("%q instead of %q", got, want)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", args[0], args[1], err)
	}
	return nil
}

func expect(want []string) func([]string, error) error {
	return func(got []string, err error) error {
		switch {
		case err != nil:
			return err
		case !slices.Equal(got, want):
			return errors.New("wrong replies")
		}
		return nil
	}
}
