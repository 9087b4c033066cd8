package sources

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the data
	"fmt"
	"io"
	"strings"
	"sync"

	"buzon/agent/policy"
)

// The documents of AWS's own managed policies, as moto has them (Apache License
// 2.0, LICENSE.moto); scripts/tools/awsmanaged renews them.
//
//go:embed awsmanaged.txt.gz
var packedAWSManaged []byte

// awsManaged is that data: each line by the policy's path, unpacked when the
// first policy of AWS is asked for.
type awsManaged struct {
	date  string // of the newest document
	lines map[string]string
	read  memo[*policy.Source] // by ARN; many principals have the same ones
}

// loadAWSManaged unpacks the data. It is part of the program, so that a fault in
// it is a fault of the build; a test reads all of it.
var loadAWSManaged = sync.OnceValue(func() *awsManaged {
	r, err := gzip.NewReader(bytes.NewReader(packedAWSManaged))
	if err != nil {
		panic(fmt.Errorf("read AWS's managed policies: %w", err))
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic(fmt.Errorf("read AWS's managed policies: %w", err))
	}
	m := &awsManaged{lines: map[string]string{}}
	for line := range strings.SplitSeq(string(text), "\n") {
		kind, rest, _ := strings.Cut(line, "\t")
		key, rest, _ := strings.Cut(rest, "\t")
		switch kind {
		case "V":
			m.date = rest
		case "P":
			m.lines[key] = rest
		}
	}
	return m
})

// AWSManagedDate is the date of the newest of AWS's managed policies that are
// known offline.
func AWSManagedDate() string { return loadAWSManaged().date }

// knownPolicy gives the document of a managed policy of AWS that no source holds.
// AWS may have changed it since: only what it allows counts, so that it can add
// rights and take none.
func knownPolicy(arn string) (policy.Source, bool) {
	path, ok := strings.CutPrefix(arn, "arn:aws:iam::aws:policy")
	if !ok {
		return policy.Source{}, false
	}
	known := loadAWSManaged()
	line, ok := known.lines[path]
	if !ok {
		return policy.Source{}, false
	}
	src := known.read.get(arn, func() *policy.Source { return readKnown(arn, path, line) })
	if src == nil {
		return policy.Source{}, false
	}
	return *src, true
}

// readKnown reads one line of the data.
func readKnown(arn, path, line string) *policy.Source {
	version, text, _ := strings.Cut(line, "\t")
	doc, err := policy.Parse(arn, []byte(text), policy.ParseOptions{Grammar: policy.Identity, Lenient: true})
	if err != nil {
		return nil
	}
	var allows []policy.Statement
	for _, st := range doc.Statements {
		if st.Effect != policy.Deny {
			allows = append(allows, st)
		}
	}
	doc.Statements = allows
	return &policy.Source{
		Name: path[strings.LastIndexByte(path, '/')+1:], ARN: arn, Version: version, AsOf: AWSManagedDate(),
		Raw: []byte(text), SHA256: digest([]byte(text)), Document: doc,
	}
}
