package sources

import (
	"strings"

	"buzon/agent/policy"
)

// wrapped is a document as the AWS CLI prints it.
type wrapped struct {
	document *policy.Node
	within   string // the elements around it: "PolicyVersion.Document"
	text     bool   // it was a text inside of the JSON: its places are of that text
	version  string // of a managed policy
	old      bool   // that version is not the default one
	role     string // ARN of the role whose trust policy it is
	owner    string // the user, role or group of an inline policy
}

// unwrap finds the policy in what a command of the AWS CLI printed: iam
// get-policy-version, get-user-policy, get-group-policy, get-role-policy and
// get-role; s3api get-bucket-policy; s3control get-access-point-policy; kms
// get-key-policy; organizations describe-policy. nil where it is none of them.
func unwrap(root *policy.Node) *wrapped {
	if root.Kind == policy.StringNode { // with --query: the text alone
		return &wrapped{document: root}
	}
	if root.Kind != policy.ObjectNode || root.Get("Statement") != nil {
		return nil
	}
	w := &wrapped{}
	at := func(elements ...string) bool {
		n := root
		for _, name := range elements {
			if n = n.Get(name); n == nil {
				return false
			}
		}
		w.document, w.within = n, strings.Join(elements, ".")
		return true
	}
	textOf := func(n *policy.Node, name string) string {
		if v := n.Get(name); v != nil && v.Kind == policy.StringNode {
			return v.Text
		}
		return ""
	}
	switch {
	case at("PolicyVersion", "Document"):
		version := root.Get("PolicyVersion")
		w.version = textOf(version, "VersionId")
		is := version.Get("IsDefaultVersion")
		w.old = is != nil && is.Text == "false"
	case at("PolicyDocument"):
		for _, name := range []string{"UserName", "GroupName", "RoleName"} {
			w.owner += textOf(root, name)
		}
	case at("Role", "AssumeRolePolicyDocument"):
		w.role = textOf(root.Get("Role"), "Arn")
	case at("Policy", "Content"), at("Policy"):
	default:
		return nil
	}
	return w
}

// looseDocument reads a loose document, bare or as the AWS CLI prints it. What AWS
// printed it has accepted: it is read leniently.
func looseDocument(file string, text []byte, grammar policy.Grammar) (policy.Source, *wrapped, error) {
	src := policy.Source{Name: file, File: file, Raw: text, SHA256: digest(text)}
	bare := policy.ParseOptions{Grammar: grammar}
	if encoded := strings.TrimSpace(string(text)); strings.HasPrefix(encoded, "%7B") || strings.HasPrefix(encoded, "%7b") {
		return inText(src, &wrapped{text: true}, encoded, policy.Position{Line: 1, Column: 1}, grammar)
	}
	if len(text) > policy.MaxDocument {
		var err error
		src.Document, err = policy.Parse(file, text, bare) // which says so
		return src, nil, err
	}
	root, err := policy.ReadJSON(file, text)
	var w *wrapped
	if err == nil {
		w = unwrap(root)
	}
	switch {
	case w == nil:
		src.Document, err = policy.Parse(file, text, bare)
		return src, nil, err
	case w.document.Kind == policy.StringNode:
		w.text = true
		return inText(src, w, w.document.Text, w.document.Pos, grammar)
	}
	src.First = w.document.Pos
	src.Document, err = policy.ParseNode(file, w.document, policy.ParseOptions{Grammar: grammar, Lenient: true})
	return src, w, err
}

// inText reads a document that stands as a text in another: its places are those
// of that text, and only where it begins is a place in the file.
func inText(src policy.Source, w *wrapped, encoded string, at policy.Position, grammar policy.Grammar) (policy.Source, *wrapped, error) {
	plain, err := decodeDocument(encoded)
	if err != nil {
		return src, nil, policy.Errors{fault(src.File, at, BadEncoding, "name", src.File)}
	}
	file := src.File
	src.Raw, src.File, src.SHA256 = plain, "", digest(plain)
	if w.within != "" {
		src.Name += " (" + w.within + ")"
	}
	src.Document, err = policy.Parse(file, plain, policy.ParseOptions{Grammar: grammar, Lenient: true})
	if faults, ok := err.(policy.Errors); ok { //nolint:errorlint // Parse returns it bare
		for _, e := range faults {
			e.Pos = at
		}
	}
	return src, w, err
}
