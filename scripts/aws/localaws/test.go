package localaws

import (
	"context"
	"errors"
	"io"
)

// T is what a server for a test needs of *testing.T.
type T interface {
	Helper()
	TempDir() string
	Context() context.Context
	Cleanup(func())
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// ForTest starts a server for one test and stops it at the end. Where there is
// no Python that can run it, the test is skipped and says so; any other fault
// fails it.
func ForTest(t T) *AWS {
	t.Helper()
	a, err := Start(t.Context(), t.TempDir(), io.Discard)
	During(t, a, err, ErrNoPython, "the local AWS can't run here")
	return a
}

// During stops a server at the end of a test that started it. Where it could not
// be started because of missing, the test is skipped and says what is the matter;
// any other fault fails it.
func During(t T, server interface{ Stop() error }, err, missing error, matter string) {
	t.Helper()
	if errors.Is(err, missing) {
		t.Skipf("SKIPPED, %s: %v", matter, err)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
}
