package client

import (
	"os"
	"strings"
	"unicode"
)

// flaw names what no key, secret, token or Region can hold, as it gets in by copying: "line" for a line break, "space",
// "control", "letters" for what is not ASCII, "quotes" around it; "" if there is none. The value is never told.
func flaw(value string) string {
	switch trimmed := strings.TrimSpace(value); {
	case strings.ContainsAny(value, "\r\n"):
		return "line"
	case len(trimmed) > 1 && strings.ContainsRune(`"'`, rune(trimmed[0])) && trimmed[0] == trimmed[len(trimmed)-1]:
		return "quotes"
	case strings.ContainsAny(value, " \t"):
		return "space"
	}
	for _, r := range value {
		switch {
		case r > unicode.MaxASCII:
			return "letters"
		case r < ' ' || r == 0x7f:
			return "control"
		}
	}
	return ""
}

// flawed is the problem of a variable, or of a key of a file, that holds what it can't.
func flawed(variable, value, file string, line int) error {
	if code := flaw(value); code != "" {
		return &CredentialsError{Problem: FlawedValue, Variable: variable, File: file, Line: line, Code: code}
	}
	return nil
}

// flawedEnvironment looks at what the environment says of keys and Region.
func flawedEnvironment(keys bool) error {
	names := []string{"AWS_REGION", "AWS_DEFAULT_REGION"}
	if keys {
		names = append([]string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN"}, names...)
	}
	for _, name := range names {
		if err := flawed(name, os.Getenv(name), "", 0); err != nil {
			return err
		}
	}
	return nil
}

// flawedProfile looks at what a profile of one file says of them.
func (f *sharedFile) flawedProfile(name string) error {
	for _, key := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"} {
		if err := flawed(key, unquoted(uncommented(f.profiles[name][key])), f.path, f.lines[name][key]); err != nil {
			return err
		}
	}
	return nil
}

// uncommented and unquoted are a value of a file without what the SDK takes away from it: what follows white space and
// # or ;, and quotes at both ends.
func uncommented(value string) string {
	for i, r := range value {
		if i > 0 && (r == '#' || r == ';') && strings.ContainsRune(" \t", rune(value[i-1])) {
			return strings.TrimSpace(value[:i])
		}
	}
	return value
}

func unquoted(value string) string {
	if last := len(value) - 1; last > 0 && value[0] == value[last] && strings.ContainsRune(`"'`, rune(value[0])) {
		return value[1:last]
	}
	return value
}
