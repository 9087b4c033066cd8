package client

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// How much of an answer is read: whatever a server says, memory stays bounded.
const (
	maxAnswer = 1 << 20  // of errors, and of answers to writes and probes
	maxPage   = 64 << 20 // of a page of a list or of IAM
	unlimited = -1       // an object, which is streamed
	// maxHead is the most of an answer's headers.
	maxHead = 256 << 10
)

var errTooLong = errors.New("the answer is too long")

type limitKey struct{}

// withLimit says how much of the answer to a request is read, if not maxAnswer.
func withLimit(ctx context.Context, bytes int64) context.Context {
	return context.WithValue(ctx, limitKey{}, bytes)
}

// bounded is a transport whose answers end where their limit does.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit, ok := r.Context().Value(limitKey{}).(int64)
	if !ok || response.StatusCode >= http.StatusMultipleChoices {
		limit = maxAnswer
	}
	if limit != unlimited {
		response.Body = &capped{ReadCloser: response.Body, left: limit}
	}
	return response, nil
}

// capped is a body that breaks off where it becomes too long.
type capped struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 { // there may be nothing more
		var one [1]byte
		if n, err := c.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLong
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
