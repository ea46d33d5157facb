package acl_test

import (
	"strings"
	"testing"

	"conclave/resp/acl"
)

// What SORT reads isn't known beforehand: only who may read every key may have it
// look others up.
func TestReadsAnyKey(t *testing.T) {
	tab := table(t)
	args := [][]byte{[]byte("get"), []byte("a")}
	for rules, want := range map[string]bool{
		"+@all ~*": true, "+get %R~*": true, "+get allkeys": true, "+get ~a (+get ~*)": true,
		"+get ~a*": false, "+get %W~*": false, "+set ~*": false, "+get ~a (+set ~*)": false, "+get": false,
	} {
		users := acl.New(tab, nil)
		if err := users.Set("u", strings.Fields(rules)); err != nil {
			t.Fatal(err)
		}
		if got := users.Get("u").ReadsAnyKey(tab.Resolve(args), args); got != want {
			t.Errorf("%q: %v, want %v", rules, got, want)
		}
	}
}
