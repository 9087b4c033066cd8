package sources

import (
	"errors"
	"net/url"

	"buzon/agent/internal/client"
)

// UsageError is a selection that can't be read as it was given.
type UsageError struct {
	Code Usage
	Got  string
}

// Usage is what is wrong with a selection.
type Usage string

// The faults of selections.
const (
	UsagePrincipal Usage = "bad-principal" // not an ARN of a principal
	UsageAccount   Usage = "bad-account"   // not twelve digits
	UsageNoBucket  Usage = "no-bucket"     // neither given nor in the source
	UsageNoPrefix  Usage = "no-prefix"     // neither given nor in the source
	UsagePrefix    Usage = "bad-prefix"    // would mean something else in a policy
	UsageNobody    Usage = "nobody"        // the sources hold no principal

	UsageParameter   Usage = "bad-parameter"     // not NAME=VALUE
	UsageNoParameter Usage = "no-such-parameter" // in no template
)

func (e *UsageError) Error() string { return "sources: " + string(e.Code) + " " + e.Got }

// Message names the sentence of the error.
func (e *UsageError) Message() (string, []any) {
	return "sources." + string(e.Code), []any{"got", e.Got}
}

// NobodyError is a user, role or bucket that AWS doesn't know.
type NobodyError struct{ Kind, Name string }

func (e *NobodyError) Error() string { return "sources: no " + e.Kind + " " + e.Name }

// Message names the sentence of the error.
func (e *NobodyError) Message() (string, []any) {
	return "sources.no-such-" + e.Kind, []any{"name", e.Name}
}

// ReadError is a live read that failed in a way that makes all others
// pointless.
type ReadError struct {
	What string
	err  error
}

func (e *ReadError) Error() string { return "sources: read " + e.What + ": " + e.err.Error() }

func (e *ReadError) Unwrap() error { return e.err }

// Message names the sentence of the error.
func (e *ReadError) Message() (string, []any) {
	return "sources.read-failed", []any{"what", e.What, "why", why(e.err)}
}

// why is what AWS answered, or what broke on the way, without the SDK's own
// chain of words around it.
func why(err error) string {
	if f := client.Classify(err); f.Message != "" {
		return f.Code + ": " + f.Message
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Error()
	}
	return err.Error()
}
