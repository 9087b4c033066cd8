package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"testing"

	"github.com/aws/smithy-go"
)

// What can be done about an error is said in a sentence after it, where its own
// doesn't say so already.
func TestRemedies(t *testing.T) {
	answer := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }
	for _, row := range []struct {
		err  error
		want string
	}{
		{context.Canceled, "remedy-again"},
		{fmt.Errorf("x: %w", context.Canceled), "remedy-again"},
		{errors.New("get identity: failed to refresh cached credentials, no EC2 IMDS role found"), "remedy-credentials"},
		{errors.New("operation error IAM: resolve endpoint: Missing Region"), "remedy-region"},
		{answer("AccessDenied"), "remedy-denied"},
		{answer("UnauthorizedOperation"), "remedy-denied"},
		{answer("Throttling"), ""},
		{fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}), "remedy-network"},
		{&fs.PathError{Op: "open", Path: "/nonexistent/x", Err: fs.ErrNotExist}, "remedy-path"},
		{errors.New("something else"), ""},
	} {
		for _, err := range []error{row.err, (&keys{}).fault("wait", "key", "AKIA", "error", row.err)} {
			if got := remedy(err); got != row.want {
				t.Errorf("%v: %q, want %q", err, got, row.want)
			}
		}
	}
}
