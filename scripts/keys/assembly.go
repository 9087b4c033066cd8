package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// confirmedFile stands beside the synthesized templates: what the setting
// "confirm" holds, one a line. The app writes it.
const confirmedFile = "confirmed"

// assembly is what a synthesis wrote: the templates of the stacks that would be
// deployed, by the stacks' names.
type assembly struct {
	stacks    []synthesized
	confirmed []string // what somebody has confirmed: "bucket", "leaving:vm-02"
}

type synthesized struct {
	name     string
	template template
	lookUp   string // ARN of the role by which the CDK looks things up; "" where there is none
}

// template is the part of a CloudFormation template that is compared.
type template struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
	Outputs map[string]struct{ Value any }
}

// member is an IAM user or role of a stack.
type member struct{ kind, name string }

// uploaders are the IAM users and roles under the path that a template makes.
func (t *template) uploaders(path string) map[member]bool {
	all := map[member]bool{}
	for _, r := range t.Resources {
		m := member{kind: strings.TrimPrefix(r.Type, "AWS::IAM::")}
		switch m.kind {
		case "User":
			m.name, _ = r.Properties["UserName"].(string)
		case "Role":
			m.name, _ = r.Properties["RoleName"].(string)
		}
		if m.name != "" && r.Properties["Path"] == path {
			all[m] = true
		}
	}
	return all
}

// ours are the uploaders of a template of ours, which says their path.
func (t *template) ours() map[member]bool { return t.uploaders(t.output("UploaderPath")) }

// output is the value of an output, where it is a plain text.
func (t *template) output(name string) string {
	text, _ := t.Outputs[name].Value.(string)
	return text
}

// refusesSessions reports whether a bucket policy of the template refuses the
// sessions that a user's key makes: a Deny for whoever has aws:TokenIssueTime.
func (t *template) refusesSessions() bool {
	for _, r := range t.Resources {
		document, _ := r.Properties["PolicyDocument"].(map[string]any)
		statements, _ := document["Statement"].([]any)
		for _, one := range statements {
			statement, _ := one.(map[string]any)
			conditions, _ := statement["Condition"].(map[string]any)
			null, _ := conditions["Null"].(map[string]any)
			if r.Type == "AWS::S3::BucketPolicy" && statement["Effect"] == "Deny" && null["aws:TokenIssueTime"] == "false" {
				return true
			}
		}
	}
	return false
}

// readAssembly reads the manifest of a synthesis and its templates (AWS CDK:
// cloud assembly schema).
func (k *keys) readAssembly(dir string) (*assembly, error) {
	var manifest struct {
		Artifacts map[string]struct {
			Type       string
			Properties struct {
				TemplateFile, StackName string
				LookupRole              struct{ ARN string }
			}
		}
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, k.fault("read-synthesis", "error", err)
	}
	a := &assembly{}
	for id, artifact := range manifest.Artifacts {
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		s := synthesized{name: artifact.Properties.StackName, lookUp: artifact.Properties.LookupRole.ARN}
		if s.name == "" {
			s.name = id
		}
		if err := readJSON(filepath.Join(dir, filepath.Base(artifact.Properties.TemplateFile)), &s.template); err != nil {
			return nil, k.fault("read-synthesis", "error", err)
		}
		a.stacks = append(a.stacks, s)
	}
	slices.SortFunc(a.stacks, func(x, y synthesized) int { return strings.Compare(x.name, y.name) })
	text, err := os.ReadFile(filepath.Join(dir, confirmedFile))
	if err != nil && !os.IsNotExist(err) {
		return nil, k.fault("read-synthesis", "error", err)
	}
	a.confirmed = strings.Fields(string(text))
	return a, nil
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
