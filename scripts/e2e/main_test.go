package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test, as TestMain names them to the tests.
const (
	serverEnv = "CONCLAVE_SERVER"
	adminEnv  = "CONCLAVE_ADMIN"
	rootDir   = "../.."
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the programs once, unless others are named.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "conclave-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	args := []string{"build", "-o", dir}
	if os.Getenv("E2E_RACE") != "" {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "./cmd/conclave-server", "./cmd/conclave-admin")...)
	build.Dir, build.Stdout, build.Stderr = rootDir, os.Stderr, os.Stderr
	if os.Getenv(serverEnv) == "" || os.Getenv(adminEnv) == "" {
		if err := build.Run(); err != nil && os.Getenv(serverEnv) == "" {
			fmt.Fprintln(os.Stderr, "e2e: build:", err)
			return 1
		}
	}
	for env, name := range map[string]string{serverEnv: "conclave-server", adminEnv: "conclave-admin"} {
		if os.Getenv(env) == "" {
			os.Setenv(env, filepath.Join(dir, name))
		}
	}
	return m.Run()
}

// underRedis reports whether redis-server stands in for our server.
func underRedis() bool { return filepath.Base(os.Getenv(serverEnv)) == "redis-server" }

// need leaves a test out where a program isn't installed; scripts/test names
// it.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// oursOnly leaves out what redis-server doesn't promise.
func oursOnly(t *testing.T) {
	t.Helper()
	if underRedis() {
		t.Skip("redis-server doesn't promise this")
	}
}
