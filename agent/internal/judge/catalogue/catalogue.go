// Package catalogue knows the actions of all AWS services: their resource types,
// the shapes of their ARNs, their condition keys, and, for S3, what each action
// endangers. The data is embedded, compressed, and read on first use.
//
// It does not promise that the list is complete: AWS adds actions every week.
// Tomorrow and UnknownService stand for those.
package catalogue

// Class is the main danger of an action.
type Class string

// The classes. Those of S3 are judgements (s3.json); the others follow AWS's
// access level.
const (
	ReadData     Class = "read-data"
	ReadMetadata Class = "read-metadata"
	List         Class = "list"
	Delete       Class = "delete"
	Permissions  Class = "permissions"
	Write        Class = "write"
)

// Action is one action of a service.
type Action struct {
	Name      string // "s3:PutObject"
	Service   string // "s3"
	Level     string // AWS's access level: Read, List, Write, Tagging, Permissions management
	Resources []ResourceType
	Keys      []string // condition keys, lower case; "…/${tagkey}" for families
	Class     Class
	Also      []Class
	Why       string // S3 only
}

// ResourceType is a kind of resource that an action can have.
type ResourceType struct {
	Name string // "object"
	ARN  string // "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
}

// Version of the action data.
const Version = "0.21.202609261"

// UnknownService stands for every action of a service that isn't in the catalogue.
const UnknownService = "~:~"

// Tomorrow stands for every action of a service that the catalogue doesn't know.
func Tomorrow(service string) string { return service + ":~" }

// Lookup finds an action by name, in any case.
func Lookup(name string) (Action, bool) { return Action{}, false }

// Match lists the actions that a pattern covers, as in a policy: "s3:Get*", "*".
func Match(pattern string) []Action { return nil }

// Services lists the prefixes of all services, sorted.
func Services() []string { return nil }
