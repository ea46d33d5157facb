package config

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

const docsPath = "../../../docs/configuration.md"

func TestDocumentationIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile(docsPath, []byte(Docs()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != Docs() {
		t.Error("docs/configuration.md isn't what the table says: go test ./cmd/internal/config -update")
	}
}
