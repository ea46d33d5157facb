package scenario

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
)

// Family is a group of commands that a library goes through by its typed calls.
type Family struct {
	Name string
	Run  func(c *Check)
}

// RunFamilies says for each family on a line of its own that it is ok, or what
// the first thing was that wasn't.
func RunFamilies(out io.Writer, families []Family) {
	for _, f := range families {
		c := &Check{}
		f.Run(c)
		if c.err != nil {
			fmt.Fprintf(out, "%s: %v\n", f.Name, c.err)
			continue
		}
		fmt.Fprintf(out, "%s ok\n", f.Name)
	}
}

// Check keeps the first deviation.
type Check struct{ err error }

// Is returns what looks at a result, in the form in which fmt prints it.
func (c *Check) Is(want string) func(got any, err error) {
	return func(got any, err error) {
		if text := fmt.Sprint(got); c.err == nil && (err != nil || text != want) {
			c.err = fmt.Errorf("%s: %q and error %v, not %q", caller(), text, err, want)
		}
	}
}

// Fails looks for an error.
func (c *Check) Fails(want string, err error) {
	if text := fmt.Sprint(err); c.err == nil && text != want {
		c.err = fmt.Errorf("%s: error %q, not %q", caller(), text, want)
	}
}

// caller is the line that called a method of Check.
func caller() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}
