package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// mostNamed is how many uploaders the warning names; a fleet can lose hundreds.
const mostNamed = 10

// leaving gives the users that the last synthesis into dir had and these
// settings no longer have. CloudFormation can't delete a user that has an access
// key, and keys are not in the stack, so somebody has to revoke them first.
//
// What is deployed it doesn't know, for synthesis reads no account: it goes by
// the templates of the last time, and where there are none it finds nobody.
func (s *Settings) leaving(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, s.StackName+"*.template.json"))
	if err != nil {
		return nil, fmt.Errorf("look for the last templates: %w", err)
	}
	var gone []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // another synthesis is at work
		}
		if err != nil {
			return nil, fmt.Errorf("read the last template: %w", err)
		}
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct{ UserName, Path any }
			}
		}
		if json.Unmarshal(text, &template) != nil {
			continue // it is not ours, or was cut short: it is about to be replaced
		}
		for _, r := range template.Resources {
			name, _ := r.Properties.UserName.(string)
			if r.Type == "AWS::IAM::User" && r.Properties.Path == s.Path && (s.Identity != IdentityUser || !slices.Contains(s.Uploaders, name)) {
				gone = append(gone, name)
			}
		}
	}
	slices.Sort(gone)
	return slices.Compact(gone), nil
}

// warnOfLeaving tells, with the synthesis, whose keys to revoke.
func warnOfLeaving(stack awscdk.Stack, gone []string) {
	if len(gone) == 0 {
		return
	}
	named := strings.Join(gone[:min(len(gone), mostNamed)], ", ")
	if more := len(gone) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("buzon:leaving"), jsii.String(fmt.Sprintf(
		"no longer among the uploaders: %s. CloudFormation can't delete a user that has an access key. Before you deploy, for each:  scripts/revoke-key NAME", named)))
}
