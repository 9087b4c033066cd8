package localaws

import (
	"context"
	"errors"
	"io"
)

// T is what ForTest needs of *testing.T.
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
	if errors.Is(err, ErrNoPython) {
		t.Skipf("SKIPPED, the local AWS can't run here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return a
}
