package catalogue

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEveryServiceIsRead(t *testing.T) {
	n := 0
	for _, service := range Services() {
		actions := Actions(service)
		if len(actions) == 0 && service != "" {
			t.Logf("%s has no actions", service)
		}
		for _, a := range actions {
			n++
			if a.Level == "" || a.Class == "" {
				t.Errorf("%s: level %q, class %q", a.Name, a.Level, a.Class)
			}
			got, ok := Lookup(strings.ToUpper(a.Name))
			if !ok || got.Name != a.Name {
				t.Errorf("Lookup(%s) = %v, %v", a.Name, got.Name, ok)
			}
			for _, r := range a.Resources {
				if !strings.HasPrefix(r.ARN, "arn:") {
					t.Errorf("%s: %s has the shape %q", a.Name, r.Name, r.ARN)
				}
			}
		}
	}
	if n < 22000 {
		t.Errorf("only %d actions", n)
	}
	t.Logf("%s: %d services, %d actions", Version(), len(Services()), n)
}

func TestEveryS3ActionIsClassed(t *testing.T) {
	var list []struct {
		Action        string
		Class         Class
		ResourceTypes []string `json:"resource_types"`
		Level         string   `json:"access_level"`
	}
	if err := json.Unmarshal(judged, &list); err != nil {
		t.Fatal(err)
	}
	byName := map[string]bool{}
	count := map[Class]int{}
	for _, j := range list {
		byName[j.Action] = true
		count[j.Class]++
		a, ok := Lookup(j.Action)
		if !ok {
			t.Errorf("%s is in s3.json and not in the data", j.Action)
			continue
		}
		if a.Class != j.Class || a.Level != j.Level || a.Why == "" {
			t.Errorf("%s: class %s, level %s, why %q", a.Name, a.Class, a.Level, a.Why)
		}
		if len(a.Resources) != len(j.ResourceTypes) {
			t.Errorf("%s has the resource types %v, s3.json says %v", a.Name, a.Resources, j.ResourceTypes)
		}
	}
	for _, a := range Actions("s3") {
		if !byName[a.Name] {
			t.Errorf("%s is not classed: add it to s3.json", a.Name)
		}
	}
	want := map[Class]int{ReadData: 9, ReadMetadata: 56, List: 26, Delete: 23, Permissions: 38, Write: 28}
	for class, n := range want {
		if count[class] != n {
			t.Errorf("%d actions of class %s, want %d", count[class], class, n)
		}
	}
}

func TestMatchCoversWhatAPolicyCovers(t *testing.T) {
	for pattern, want := range map[string]int{
		"s3:*": 180, "S3:put*": 40, "s3:PutObject*": 9, "s3:*Object": 5, "s3:PutObject": 1,
		"s3:HeadObject": 0, "s4:*": 0, "": 0, "s3": 0, "s3:Get?bject": 1, "s3:**": 180,
	} {
		if got := len(Match(pattern)); got != want {
			t.Errorf("Match(%q) finds %d actions, want %d", pattern, got, want)
		}
	}
	if len(Match("*")) < 22000 || len(Match("**")) != len(Match("*")) {
		t.Error("* doesn't match everything")
	}
}

func TestKeysHaveTypesAndFamilies(t *testing.T) {
	put, _ := Lookup("s3:PutObject")
	for key, want := range map[string]bool{
		"s3:if-none-match": true, "s3:prefix": false, "s3:requestobjecttag/team": true,
		"s3:existingobjecttag/team": false, "s3:tlsversion": true,
	} {
		if got := put.HasKey(key); got != want {
			t.Errorf("PutObject has %s: %v", key, got)
		}
	}
	if kind, ok := KeyType("s3:objectcreationoperation"); !ok || kind != "Bool" {
		t.Errorf("s3:ObjectCreationOperation is %q, %v", kind, ok)
	}
	if kind, _ := KeyType("s3:requestobjecttag/x"); kind != "String" {
		t.Errorf("s3:RequestObjectTag/x is %q", kind)
	}
	if _, ok := KeyType("nobody:knows"); ok {
		t.Error("a key of an unknown service is known")
	}
}
