// The words of the page. Classes are named in the order of CMP Facade.
const WORDS = {
  en: {
    language: "中文", title: "Draw a facade", titlePen: "Draw a picture", titlePicture: "Translate a picture",
    rectangle: "Rectangle", brush: "Brush", select: "Select", size: "Size",
    undo: "Undo", redo: "Redo", copy: "Copy", remove: "Delete",
    wall: "Empty wall", facade: "Another facade", open: "Open a picture…", another: "Another building",
    wallPen: "Empty sheet", anotherPen: "Another result",
    save: "Save", saveDrawing: "Drawing", saveBuilding: "Building", saveBoth: "Both",
    saveDrawingPicture: "Input", saveBuildingPen: "Result", saveBuildingPicture: "Result",
    drawing: "Drawing", building: "Building", classes: "Classes", tools: "Tools",
    hint: "Drag to draw; click a shape to select it, then pull its corners. Keys: 1 to = choose a class, R rectangle, B brush, V select, " +
      "arrows move, Ctrl+D copy (again: at the same distance), Del delete, Ctrl+Z undo, N another building. " +
      "A picture can be dropped anywhere. The drawing is in this page’s address.",
    hintPen: "Drag to draw, or drop a picture anywhere. Keys: 1 to 5 choose a shade, B brush, R rectangle, V select, Ctrl+Z undo. " +
      "What you draw is in this page’s address; a dropped picture is not.",
    hintPicture: "Drop a picture anywhere, or open one. It stays on this machine.",
    loading: "Loading the network…", working: "Generating…", ready: (milliseconds) => `${NETWORK.width} × ${NETWORK.height} · ${milliseconds} ms`,
    awaiting: "Drop a picture here, or open one.",
    noImage: (name) => `${name}: expected a picture, found something else; drop a PNG or JPEG`,
    tooLarge: (name, pixels) => `${name}: expected at most 20 megapixels, found ${pixels}; shrink it`,
    noAnswer: (reason) => `No building: ${reason}. Is pix2pix-ms draw still running?`,
    noRun: (reason) => `The network does not run in this browser: ${reason}`,
    noDrawing: "The address holds no drawing that can be read; another is kept.",
    background: "background", window: "window", door: "door", cornice: "cornice", sill: "sill", balcony: "balcony",
    blind: "blind", deco: "decoration", molding: "moulding", pillar: "pillar", shop: "shop", facadeClass: "wall",
    white: "white", light: "light", grey: "grey", dark: "dark", black: "black",
  },
  zh: {
    language: "English", title: "画一座立面", titlePen: "画一幅图", titlePicture: "转换一张图片",
    rectangle: "矩形", brush: "画笔", select: "选择", size: "粗细",
    undo: "撤销", redo: "重做", copy: "复制", remove: "删除",
    wall: "空墙面", facade: "换一座立面", open: "打开图片…", another: "换一座建筑",
    wallPen: "空白", anotherPen: "换一个结果",
    save: "保存", saveDrawing: "标签图", saveBuilding: "建筑", saveBoth: "两者",
    saveDrawingPen: "输入图像", saveDrawingPicture: "输入图像", saveBuildingPen: "生成图像", saveBuildingPicture: "生成图像",
    drawing: "标签图", building: "建筑", classes: "类别", tools: "工具",
    hint: "拖动绘制；单击形状可选中，再拖动边角改变大小。按键：1 至 = 选类别，R 矩形，B 画笔，V 选择，方向键移动，" +
      "Ctrl+D 复制（再按一次间距相同），Del 删除，Ctrl+Z 撤销，N 换一座建筑。图片可拖放到页面任意处。画的内容就在本页地址里。",
    hintPen: "拖动绘制，或把图片拖放到页面任意处。按键：1 至 5 选深浅，B 画笔，R 矩形，V 选择，Ctrl+Z 撤销。所画内容在本页地址里，拖入的图片不在。",
    hintPicture: "把图片拖放到页面任意处，或打开一张。图片不会离开本机。",
    loading: "正在载入网络…", working: "正在生成…", ready: (milliseconds) => `${NETWORK.width} × ${NETWORK.height} · ${milliseconds} 毫秒`,
    awaiting: "把图片拖放到这里，或打开一张。",
    noImage: (name) => `${name}：需要图片，却是别的文件；请拖入 PNG 或 JPEG`,
    tooLarge: (name, pixels) => `${name}：最多 2000 万像素，却有 ${pixels}；请先缩小`,
    noAnswer: (reason) => `没有生成建筑：${reason}。pix2pix-ms draw 还在运行吗？`,
    noRun: (reason) => `网络无法在此浏览器中运行：${reason}`,
    noDrawing: "地址中没有可读的画，保留另一幅。",
    background: "背景", window: "窗", door: "门", cornice: "檐口", sill: "窗台", balcony: "阳台",
    blind: "遮阳帘", deco: "装饰", molding: "线脚", pillar: "柱子", shop: "店铺", facadeClass: "墙面",
    white: "白", light: "浅灰", grey: "灰", dark: "深灰", black: "黑",
  },
};
let language = navigator.language.startsWith("zh") ? "zh" : "en";
try { language = localStorage.getItem("language") ?? language; } catch { /* a page of its own may keep nothing */ }

// A word, or the one for networks of another kind of input, where it has one.
const ending = { pen: "Pen", picture: "Picture" }[NETWORK.input] ?? "";
const word = (name) => WORDS[language][name + ending] ?? WORDS[language][name];
const nameOf = (kind) => word(kind === "facade" ? "facadeClass" : kind);
