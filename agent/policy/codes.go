package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// The faults of a JSON text.
const (
	TooLong           Code = "too-long"
	TooDeep           Code = "too-deep"
	ByteOrderMark     Code = "byte-order-mark"
	BadUTF8           Code = "bad-utf8"
	EmptyText         Code = "empty-text"
	UnexpectedEnd     Code = "unexpected-end"
	UnexpectedText    Code = "unexpected-text"
	TrailingText      Code = "trailing-text"
	BadEscape         Code = "bad-escape"
	BadNumber         Code = "bad-number"
	ControlCharacter  Code = "control-character"
	ReservedCharacter Code = "reserved-character"
	DuplicateKey      Code = "duplicate-key"
)

// The faults of a policy document.
const (
	WrongType          Code = "wrong-type"
	UnknownElement     Code = "unknown-element"
	MisspelledElement  Code = "misspelled-element"
	ForbiddenElement   Code = "forbidden-element"
	MissingElement     Code = "missing-element"
	BothElements       Code = "both-elements"
	EmptyElement       Code = "empty-element"
	UnknownVersion     Code = "unknown-version"
	BadEffect          Code = "bad-effect"
	BadSid             Code = "bad-sid"
	DuplicateSid       Code = "duplicate-sid"
	BadAction          Code = "bad-action"
	BadARN             Code = "bad-arn"
	BadPrincipal       Code = "bad-principal"
	UnknownPrincipal   Code = "unknown-principal-type"
	UnknownOperator    Code = "unknown-operator"
	MisspelledOperator Code = "misspelled-operator"
	BadConditionKey    Code = "bad-condition-key"
	BadValue           Code = "bad-value"
	BadVariable        Code = "bad-variable"
	MisplacedVariable  Code = "misplaced-variable"
	ForbiddenAllow     Code = "forbidden-allow"
	ForbiddenWildcard  Code = "forbidden-wildcard"
	BucketWildcard     Code = "bucket-wildcard"
)

// Codes lists every fault that this package reports, in the order above.
func Codes() []Code {
	return []Code{
		TooLong, TooDeep, ByteOrderMark, BadUTF8, EmptyText, UnexpectedEnd, UnexpectedText,
		TrailingText, BadEscape, BadNumber, ControlCharacter, ReservedCharacter, DuplicateKey,
		WrongType, UnknownElement, MisspelledElement, ForbiddenElement, MissingElement,
		BothElements, EmptyElement, UnknownVersion, BadEffect, BadSid, DuplicateSid, BadAction,
		BadARN, BadPrincipal, UnknownPrincipal, UnknownOperator, MisspelledOperator, BadConditionKey, BadValue,
		BadVariable, MisplacedVariable, ForbiddenAllow, ForbiddenWildcard, BucketWildcard,
	}
}

// Errors is everything that is wrong with one document, in the order of the
// places. It is never empty where it is returned as an error.
type Errors []*Error

func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no faults"
	case 1:
		return e[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", e[0].Error(), len(e)-1)
}

// Unwrap gives the faults one by one, for errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
}

// newError makes a fault; args are name, text, name, text.
func newError(file string, at Position, code Code, args ...string) *Error {
	e := &Error{File: file, Pos: at, Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if e.Args == nil {
			e.Args = make(map[string]string, len(args)/2)
		}
		e.Args[args[i]] = clip(args[i+1])
	}
	return e
}
