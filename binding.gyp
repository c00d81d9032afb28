{
  "variables": { "conduit_strict%": 0 },
  "targets": [
    {
      "target_name": "conduit",
      "sources": ["<!@(node -p \"require('fs').readFileSync('addon/sources.txt','utf8').trim().split(/\\s+/).join(' ')\")"],
      "include_dirs": ["<!(node -p \"require('fs').existsSync('tsconfig.json') ? require('node-addon-api').include_dir : 'prebuilds/include'\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS", "_GNU_SOURCE", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-fexceptions", "-fvisibility=hidden"],
      "conditions": [["conduit_strict==1", { "cflags_cc": ["-Werror"] }]]
    }
  ]
}
