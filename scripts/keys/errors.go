package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// told is an error with a text that a person reads at once; what it wraps is the
// whole of it.
type told struct {
	text string
	err  error
}

func (e told) Error() string { return e.text }
func (e told) Unwrap() error { return e.err }

// plain says an error without the machinery that it came through: AWS's code and
// words, or the last reason of a call that reached nobody.
func plain(err error) error {
	var answer smithy.APIError
	var unsent *smithyhttp.RequestSendError
	var where *url.Error
	switch {
	case errors.As(err, &answer):
		return told{answer.ErrorCode() + ": " + answer.ErrorMessage(), err}
	case errors.As(err, &unsent) && errors.As(err, &where):
		return told{where.Unwrap().Error(), err}
	}
	return err
}

// remedy is the id of the sentence that says what to do about an error; "" where
// the error's own sentence does.
func remedy(err error) string {
	var answer smithy.APIError
	var network net.Error
	var path *fs.PathError
	switch text := err.Error(); {
	case errors.Is(err, context.Canceled):
		return "remedy-again"
	case strings.Contains(text, "failed to refresh cached credentials"), strings.Contains(text, "get identity"):
		return "remedy-credentials"
	case strings.Contains(text, "Missing Region"), strings.Contains(text, "missing region"):
		return "remedy-region"
	case denied(err):
		return "remedy-denied"
	case errors.As(err, &answer):
		return ""
	case errors.As(err, &network):
		return "remedy-network"
	case errors.As(err, &path):
		return "remedy-path"
	}
	return ""
}
