package terraform

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// refers finds what an attribute that is known after apply only will be, where the
// configuration says so beyond doubt: the expression refers to one attribute of one
// resource, and to nothing else. The plan doesn't hold the expressions themselves,
// so an attribute that may be anything built of what it refers to (a policy's text)
// must not be asked for so, save for the JSON of a data source, which nobody builds
// on.
func (r planned) refers(attribute string) (address, name string, ok bool) {
	res, module, calls := r.configuration()
	if res == nil {
		return "", "", false
	}
	return r.follow(module, calls, res.Expressions[attribute])
}

// configuration is what the plan's configuration says of the resource, with the modules
// that it stands in; nil where it says nothing.
func (r planned) configuration() (res *tfjson.ConfigResource, module []string, calls []*tfjson.ConfigModule) {
	if r.tf.Config == nil {
		return nil, nil, nil
	}
	module, own := splitAddress(r.address)
	calls = modulesOf(r.tf.Config.RootModule, module)
	if calls == nil {
		return nil, nil, nil
	}
	for _, res := range calls[len(calls)-1].Resources {
		if res.Address == withoutIndex(own) {
			return res, module, calls
		}
	}
	return nil, nil, nil
}

// follow goes after the one reference of an expression, through variables and
// outputs of modules.
func (r planned) follow(module []string, calls []*tfjson.ConfigModule, e *tfjson.Expression) (address, name string, ok bool) {
	for range 32 { // modules in modules
		ref, ok := soleReference(e)
		if !ok {
			return "", "", false
		}
		parts := strings.Split(ref, ".")
		switch {
		case parts[0] == "var" && len(parts) == 2 && len(module) > 0:
			last := module[len(module)-1]
			module, calls = module[:len(module)-1], calls[:len(calls)-1]
			made := calls[len(calls)-1].ModuleCalls[withoutIndex(last)]
			if made == nil {
				return "", "", false
			}
			e = made.Expressions[parts[1]]
			continue
		case parts[0] == "module" && len(parts) == 3:
			made := calls[len(calls)-1].ModuleCalls[withoutIndex(parts[1])]
			if made == nil || made.Module == nil || made.Module.Outputs[parts[2]] == nil {
				return "", "", false
			}
			module, calls = append(slices.Clone(module), parts[1]), append(slices.Clone(calls), made.Module)
			e = made.Module.Outputs[parts[2]].Expression
			continue
		}
		dot := strings.LastIndexByte(ref, '.')
		prefix := ""
		for _, m := range module {
			prefix += "module." + m + "."
		}
		address, name = prefix+ref[:dot], ref[dot+1:]
		if r.plan.values[address] == nil && r.changes[address] == nil {
			return "", "", false // one of several, or none
		}
		return address, name, true
	}
	return "", "", false
}

// soleReference is the one thing that an expression refers to. Terraform lists a
// reference and then what it goes through: "a.b.arn", "a.b".
func soleReference(e *tfjson.Expression) (string, bool) {
	if e == nil || e.ExpressionData == nil || len(e.References) == 0 {
		return "", false
	}
	longest := slices.MaxFunc(e.References, func(a, b string) int { return len(a) - len(b) })
	for _, ref := range e.References {
		rest, ok := strings.CutPrefix(longest, ref)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			return "", false
		}
	}
	return longest, strings.Count(longest, ".") > 0
}

// splitAddress takes "module.a[0].module.b.aws_iam_user.u" apart: the modules with
// their indices, and the address inside of them.
func splitAddress(address string) (modules []string, own string) {
	for {
		rest, ok := strings.CutPrefix(address, "module.")
		if !ok {
			return modules, address
		}
		end := 0
		for depth := 0; end < len(rest); end++ {
			switch rest[end] {
			case '[':
				depth++
			case ']':
				depth--
			case '"': // an index may hold anything
				for end++; end < len(rest) && rest[end] != '"'; end++ {
					if rest[end] == '\\' {
						end++
					}
				}
			}
			if end < len(rest) && rest[end] == '.' && depth == 0 {
				break
			}
		}
		if end >= len(rest) {
			return modules, address
		}
		modules, address = append(modules, rest[:end]), rest[end+1:]
	}
}

func withoutIndex(s string) string {
	if at := strings.IndexByte(s, '['); at >= 0 {
		return s[:at]
	}
	return s
}

// modulesOf gives the configuration of each module on the way, the root first.
func modulesOf(root *tfjson.ConfigModule, modules []string) []*tfjson.ConfigModule {
	if root == nil {
		return nil
	}
	out := []*tfjson.ConfigModule{root}
	for _, m := range modules {
		made := out[len(out)-1].ModuleCalls[withoutIndex(m)]
		if made == nil || made.Module == nil {
			return nil
		}
		out = append(out, made.Module)
	}
	return out
}
